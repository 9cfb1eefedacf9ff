"""What is known about who holds which address, and what must follow from it (I1, I5).

A pod surely holds its addresses from the answer to its ADD until its DEL begins. It may
hold them from the beginning of its ADD, however that ends, until its DEL has ended. Two
that surely hold one address at the same time are wrong; an ADD that is refused while
nobody else may hold one of its addresses is wrong too."""
import threading

from harness import expect


class Pod:
    def __init__(self, name, uid, ips):
        self.name, self.uid, self.ips = name, uid, ips
        self.addresses = {address.split("/")[0] for address in ips}


class Attachment:
    def __init__(self, pod, container, real):
        self.pod, self.container, self.real = pod, container, real
        self.netns = container if real else "/nowhere/" + container
        self.answer = None   # the last result of ADD
        self.is_up = False   # its interface was set up with the addresses

    def __str__(self):
        return "%s in %s" % (self.pod.name, self.container)


class Model:
    def __init__(self):
        self.lock = threading.Lock()
        self.sure = {}       # address -> the attachment that surely holds it
        self.possible = {}   # address -> attachments that may hold it
        self.begun = {}      # address -> how many ADDs have begun
        self.links = {}      # address -> attachments with a namespace in which it was up

    def others(self, attachment, of):
        return {a for address in attachment.pod.addresses for a in of.get(address, ()) if a.pod is not attachment.pod}

    def add_begins(self, attachment):
        """What add_refused wants to know."""
        with self.lock:
            for address in attachment.pod.addresses:
                self.begun[address] = self.begun.get(address, 0) + 1
                self.possible.setdefault(address, set()).add(attachment)
                # the pod's earlier sandbox: from now on it is one of the two
                if self.sure.get(address) is not None and self.sure[address].pod is attachment.pod and \
                        self.sure[address] is not attachment:
                    del self.sure[address]
            return self.others(attachment, self.possible), {a: self.begun[a] for a in attachment.pod.addresses}

    def add_answered(self, attachment, answer):
        got = [i["address"] for i in answer["ips"]]
        expect(sorted(got) == sorted(attachment.pod.ips), "%s gets other addresses" % attachment, got)
        with self.lock:
            for address in attachment.pod.addresses:
                holder = self.sure.get(address)
                expect(holder is None or holder.pod is attachment.pod,
                       "I1: %s is answered %s, which %s has" % (attachment, address, holder))
                self.sure[address] = attachment
                if attachment.real:
                    self.links.setdefault(address, set()).add(attachment)

    def add_refused(self, attachment, asked, result):
        others, begun = asked
        with self.lock:
            anybody = others or any(self.begun[a] != n for a, n in begun.items())
            expect(anybody, "%s was refused and nobody has its addresses" % attachment, result)
            expect(not any(self.sure.get(a) is attachment for a in attachment.pod.addresses),
                   "I5: a repeated ADD of %s was refused" % attachment, result)

    def delete_begins(self, attachment):
        with self.lock:
            for address in attachment.pod.addresses:
                if self.sure.get(address) is attachment:
                    del self.sure[address]

    def delete_ended(self, attachment):
        with self.lock:
            for address in attachment.pod.addresses:
                self.possible.get(address, set()).discard(attachment)

    def still_holds(self, attachment):
        """After the late DEL of an earlier sandbox."""
        with self.lock:
            for address in attachment.pod.addresses:
                expect(self.sure.get(address) is attachment, "%s does not hold %s" % (attachment, address))

    def others_with_links(self, attachment):
        with self.lock:
            return self.others(attachment, self.links)

    def forget_link(self, attachment):
        with self.lock:
            for address in attachment.pod.addresses:
                self.links.get(address, set()).discard(attachment)

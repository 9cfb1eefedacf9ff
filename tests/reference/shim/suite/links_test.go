package main

import "github.com/vishvananda/netlink"

// addLink stands for netlink.LinkAdd in a suite's set-up where the kernel has no
// dummy links: a veth whose other end is up, for alone it has no carrier.
func addLink(link netlink.Link) error {
	if link.Type() != "dummy" {
		return netlink.LinkAdd(link)
	}
	attrs := link.Attrs()
	// the kernel numbers it; a name made of the device's could be too long
	veth := &netlink.Veth{LinkAttrs: *attrs, PeerName: "veth%d"}
	if err := netlink.LinkAdd(veth); err != nil {
		return err
	}
	made, err := netlink.LinkByName(attrs.Name)
	if err != nil {
		return err
	}
	*attrs = *made.Attrs() // set-ups go on with the index
	peer, err := netlink.LinkByIndex(attrs.ParentIndex)
	if err != nil {
		return err
	}
	return netlink.LinkSetUp(peer)
}

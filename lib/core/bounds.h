/* Every maximum in the system, with its reason. A size that comes from outside
 * and has no line here is a bug. */
#ifndef CORE_BOUNDS_H
#define CORE_BOUNDS_H

enum {
	/* Text of one error: subject, reason and way out in one sentence. The
	 * kubelet shows a CNI error in an event note of at most 1 KiB. */
	ERR_TEXT_MAX = 640,

	/* Network name. libcni's cache file is NAME-CONTAINERID-IFNAME within
	 * NAME_MAX (255), with container ids of 64 characters. */
	NETWORK_NAME_MAX = 174,
	/* RFC 1123 label (namespace) and subdomain (pod, most object names);
	 * Kubernetes apimachinery pkg/util/validation. */
	LABEL_MAX = 63,
	/* Of a domain in a StaticIPBlock (crds/staticipblocks.yaml). */
	DOMAIN_MAX = 189,
	SUBDOMAIN_MAX = 253,
	/* NAME-ORDINAL must be a pod's name; ordinals are 32-bit numbers. */
	STATEFUL_SET_NAME_MAX = SUBDOMAIN_MAX - 11,
	/* IFNAMSIZ - 1, linux/if.h. */
	IFNAME_LEN_MAX = 15,
	/* network/namespace/pod/interface */
	KEY_MAX = NETWORK_NAME_MAX + LABEL_MAX + SUBDOMAIN_MAX + IFNAME_LEN_MAX + 3,
	/* KEY@UID, in a node's table; a pod's UID has 36 characters, a static pod's 32. */
	POD_UID_MAX = 64,
	GRANT_KEY_MAX = KEY_MAX + 1 + POD_UID_MAX,

	/* Longest text of an IPv6 address with prefix: 39 + "/128". */
	ADDRESS_TEXT_MAX = 48,

	/* What one entry of an allocation may hold; the CRD says the same. */
	ENTRY_IPS_MAX = 8,
	ENTRY_GATEWAYS_MAX = 2,
	/* Its routes: all rows of a node stand in one StaticIPNode, each with the routes of
	 * its allocation: 110 pods and 64 routes are just below etcd's 1.5 MiB. */
	ALLOCATION_ROUTES_MAX = 64,
	/* Routes that a network configuration may write, and those of a result: what the
	 * allocation has and as many of the configuration's own. */
	ROUTES_MAX = 2 * ALLOCATION_ROUTES_MAX,
	/* Next hops of one route: what hardware that people copy from has at
	 * least; and policy rules of one network. */
	ROUTE_HOPS_MAX = 16,
	RULES_MAX = 64,
	ENTRIES_MAX = 1024,
	RANGES_MAX = 8,

	/* One node's grants and holds: 110 pods on several networks, and some to spare. */
	GRANTS_MAX = 1024,
	GRANT_WORDS_MAX = 512,
	EPOCH_MAX = 64,
	/* Addresses that one node has entered into the ledger by reporting them, without a
	 * rebuilding: 110 pods in two families on two networks. Below GRANTS_MAX, so that
	 * they can all be revoked. */
	ADOPTED_ADDRESSES_MAX = 512,
	/* Holds that /metrics names one by one. */
	HOLDS_MEASURED_MAX = 100,
	/* One annotation: the API server takes 256 KiB for all of an object. */
	ANNOTATION_MAX = 64 * 1024,
	/* Addresses of one revocation: ENTRY_IPS_MAX on each of some networks. */
	REVOKED_ADDRESSES_MAX = 256,

	/* onNodeFailure AfterGrace: a node that answers late is called not Ready after
	 * 50 s; a week is for ever. The CRD says the same. */
	GRACE_SECONDS_MIN = 60,
	GRACE_SECONDS_MAX = 7 * 24 * 3600,
	NODE_GONE_SECONDS_MAX = 24 * 3600,
	/* Nodes of one name that are remembered: the one that is there, and former ones that
	 * a holder may still be on. */
	MACHINES_OF_NAME_MAX = 16,

	/* One row or profile: 64 routes of at most about 200 bytes each. */
	ROW_BYTES_MAX = 16 * 1024,
	/* One bucket. A ConfigMap's data may have 1 MiB (1 048 576 bytes);
	 * the rest is for metadata and JSON escapes. */
	TABLE_BYTES_MAX = 900 * 1000,
	TABLE_BUCKETS_MAX = 1024,

	/* Standard input of the plugin: a network configuration with a
	 * prevResult; 10 MiB of rubbish must be refused, not parsed. */
	STDIN_BYTES_MAX = 1024 * 1024,
	/* CNI_ARGS: the kernel's own limit for one string of an environment,
	 * MAX_ARG_STRLEN in linux/binfmts.h. */
	CNI_ARGS_MAX = 128 * 1024,
	JSON_DEPTH_MAX = 32,
	/* A number with fraction or exponent: a double's shortest text that reads back the
	 * same has 24 bytes, its longest useful one (17 digits behind 5e-324) no more. */
	JSON_NUMBER_MAX = 64,

	/* One object in a response of the API server: etcd stores at most
	 * 1.5 MiB, JSON escapes may double it; with some room. */
	OBJECT_BYTES_MAX = 8 * 1024 * 1024,
	/* One page of a list: LIST_PAGE_ITEMS objects of a usual size. */
	LIST_BYTES_MAX = 64 * 1024 * 1024,
	LIST_PAGE_ITEMS = 500,

	/* Objects that one watch remembers by name. 150 000 pods are the largest
	 * cluster that Kubernetes claims ("Considerations for large clusters"). */
	WATCH_OBJECTS_MAX = 1000 * 1000,
	/* Deepest nesting of an API object; custom resources go deeper than what
	 * json-c allows by default (32); the API server itself stops at 10 000. */
	API_JSON_DEPTH_MAX = 128,

	/* Connections to the API server at once: some nine watches, and what is asked. A
	 * leader that begins would ask hundreds of questions on as many connections, whose
	 * handshakes then cost more time than it has to renew its lease. */
	HTTP_CONNECTIONS_MAX = 32,

	/* Small configuration files: kubeconfig, token, CA bundle. */
	CONFIG_FILE_MAX = 1024 * 1024,
	/* The plugin's program, which the agent copies; it has about 2 MiB. */
	PLUGIN_BYTES_MAX = 64 * 1024 * 1024,
	/* The agent's file "agent"; it has about 200 bytes. */
	LOCK_FILE_MAX = 4096,

	/* The server of health and metrics. Connections at once: a kubelet and two
	 * Prometheus have one each; beyond that the oldest gives way to the newest.
	 * The limit of libmicrohttpd itself is never reached: at it, it would not
	 * accept, and newcomers would wait for the slow. */
	SERVE_CONNECTIONS = 24,
	SERVE_CONNECTIONS_MAX = 32,
	/* From accepting a connection to the end of its answer; Prometheus gives up
	 * after 10 s by default, a kubelet after 1 s. */
	SERVE_DEADLINE_S = 10,
	/* Request line, headers and libmicrohttpd's own needs, per connection. */
	SERVE_MEMORY_MAX = 16 * 1024,
	SERVE_ROUTES_MAX = 8,
	HEALTH_CHECKS_MAX = 16,
	HEALTH_TEXT_MAX = 16 * 1024,
	/* All measurements of a process, as text: some hundred lines; where
	 * conditions' reasons are labels, at most METRICS_REASONS_MAX of them. */
	METRICS_BYTES_MAX = 1024 * 1024,
	METRICS_REASONS_MAX = 64,
	/* A double with 17 digits: sign, point, exponent. */
	METRICS_NUMBER_MAX = 32,

	/* cniVersion: "1.1.0", with room for what a person may write instead. */
	VERSION_TEXT_MAX = 32,
	/* What other plugins of a chain may have answered: far more than any main
	 * plugin makes, and few enough to look at one by one. */
	PREV_IPS_MAX = 64,
	PREV_INTERFACES_MAX = 64,
	PREV_ROUTES_MAX = 1024,
	/* Addresses that a runtime may ask for on one road. */
	REQUESTED_IPS_MAX = 16,
	/* What the plugin prints: a prevResult, which came with standard input,
	 * and at most ROUTES_MAX routes; JSON escapes may make text six times as
	 * long. */
	OUTPUT_BYTES_MAX = 6 * 1024 * 1024,
	/* How long VERSION waits for an input that it can do without. */
	VERSION_INPUT_MS = 1000,
	/* Container ids: the specification has no limit. Runtimes use 64 characters;
	 * the file of an attachment is CONTAINERID:IFNAME within NAME_MAX (255). */
	CONTAINER_ID_MAX = 200,
	/* Path of a network namespace: /var/run/netns/cni-UUID, /proc/PID/ns/net. */
	NETNS_PATH_MAX = 1024,
	/* A lease, padded: one page, so that a reader or a SIGKILL never meets half
	 * of a change. */
	LEASE_BYTES = 4096,
	/* MACs of earlier sandboxes that a lease remembers: one that is made again and again
	 * leaves more, but hardly more whose end is still to come. */
	FORMER_MACS_MAX = 4,
	/* Leases on one node: 110 pods on a dozen networks are some thousand. */
	LEASES_MAX = 65536,
	/* The lock of a lease is held over a few file operations only. */
	LEASE_LOCK_MS = 2000,
	/* Times that a lease is read without its lock until two agree. */
	LEASE_LOOKS = 16,
	/* How long ADD waits for an address that another attachment has; the kubelet
	 * gives the runtime four minutes for a sandbox. */
	WAIT_SECONDS = 15,
	WAIT_SECONDS_MAX = 180,
	/* How far ahead of the clock, in seconds, a node's word on generations of tables may
	 * be: a bucket that is written more than once a second outruns the clock. */
	TABLE_AHEAD_MAX_S = 365 * 24 * 3600,

	/* /proc/self/mountinfo of a node with 10 000 mounts. */
	MOUNTINFO_MAX = 16 * 1024 * 1024,
	/* What one dump of the kernel may yield after its filter: addresses, routes,
	 * links. A node with a full BGP table has about a million routes, of which
	 * a filter takes a handful. */
	KERNEL_ITEMS_MAX = 65536,

	/* A received frame: an Ethernet header and the usual MTU. ARP and neighbour
	 * discovery are far shorter; what is longer is cut, and a cut one is no claim. */
	WIRE_FRAME_MAX = 1514,
	/* How long the probe of all of a pod's addresses may take; RFC 5227 has up to
	 * 7 s, for which no pod waits. */
	PROBE_MS = 300,

	/* Prefixes of `ipv6.nodad`: a pod has ENTRY_IPS_MAX addresses of ours, and others are
	 * told together. */
	NODAD_MAX = 16,

	/* Inline sources of addresses. Rows of `allocations`: what STDIN_BYTES_MAX
	 * holds, at 50 bytes a row. */
	ALLOCATION_ROWS_MAX = 20 * 1000,
	/* Ranges of one range set; one address is taken from each set, so that
	 * there are at most ENTRY_IPS_MAX sets. */
	RANGE_SET_RANGES_MAX = 16,
	/* `index`: more than any node has pods. */
	INDEX_MAX = 65535,
	/* resolv.conf, and how many values each of its keywords may have. */
	RESOLV_CONF_MAX = 64 * 1024,
	DNS_ITEMS_MAX = 32,
	/* /proc/cmdline: COMMAND_LINE_SIZE is at most 4096 (arch/…/setup.h). */
	KERNEL_COMMAND_LINE_MAX = 16 * 1024,
};

#endif

# staticip. `make help` lists the targets.
#
# CC=clang, SAN=address|fuzz|coverage|valgrind and O=DIR make variants, each in an output
# folder of its own; V=1 shows the commands.

.DELETE_ON_ERROR:
.SUFFIXES:
.DEFAULT_GOAL := all
MAKEFLAGS += --no-builtin-rules

CC := $(if $(filter default,$(origin CC)),gcc,$(CC))
SAN ?=
O ?= build$(if $(SAN),/$(SAN))
Q := $(if $(V),,@)
VERSION := $(shell cat VERSION)
DESTDIR ?=
PREFIX ?= /usr/local
SBINDIR ?= $(PREFIX)/sbin
CNIBINDIR ?= /opt/cni/bin
MANDIR ?= $(PREFIX)/share/man

# ---- flags: facts, then probes for what this compiler has -------------------

probe = $(shell for f in $(1); do $(CC) -Werror $$f -c -x c /dev/null -o /dev/null 2>/dev/null && echo $$f; done)

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wvla -Wundef -Wcast-qual \
	-Wconversion -Wsign-conversion -Wstrict-prototypes -Wmissing-prototypes \
	-Wold-style-definition -Wredundant-decls -Wpointer-arith -Wwrite-strings \
	-Wformat=2 -Wnull-dereference -Wimplicit-fallthrough -Wswitch-enum \
	-Wdouble-promotion -Wdate-time -Wunused-macros -Werror
MORE_WARNINGS := -Wcast-align=strict -Wformat-signedness -Wformat-overflow=2 \
	-Wduplicated-cond -Wduplicated-branches -Wlogical-op -Wjump-misses-init \
	-Walloc-zero -Wstringop-overflow=4 -Wuse-after-free=3 -Wtrampolines \
	-Wbidi-chars=any -Wcomma -Wunreachable-code-aggressive -Wassign-enum \
	-Wconditional-uninitialized -Wshift-sign-overflow -Wextra-semi-stmt
HARDENING := -fstack-protector-strong -fno-common -fvisibility=hidden \
	-ffunction-sections -fdata-sections
MORE_HARDENING := -fstack-clash-protection -fcf-protection=full \
	-mbranch-protection=standard -ftrivial-auto-var-init=zero \
	-fzero-call-used-regs=used-gpr

SAN_address := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
SAN_fuzz := -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all \
	-fprofile-instr-generate -fcoverage-mapping
SAN_coverage := -O0 --coverage
# no sanitizer: linked dynamically, so that memcheck knows the allocator
SAN_valgrind := -O1
OPTIMIZE := $(if $(SAN),$(SAN_$(SAN)),-O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
ifneq ($(SAN),)
$(if $(SAN_$(SAN)),,$(error SAN is one of address, fuzz, coverage, valgrind))
endif

# Which packages a layer may see; third-party headers are not ours to warn about.
PKG_core :=
PKG_table := json-c
PKG_node := $(PKG_table) libnl-3.0
PKG_net := $(PKG_table) libcurl yaml-0.1 libmicrohttpd
PKG_plugin := $(PKG_node)
PKG_agent := $(PKG_net) $(PKG_node)
PKG_controller := $(PKG_net)
# (silent: on a new machine `make demo` and `make test` install them first)
pkg_cflags = $(patsubst -I%,-isystem%,$(shell $(if $(1),pkg-config --cflags $(1) 2>/dev/null)))
pkg_libs = $(shell $(if $(1),pkg-config $(2) --libs $(1) 2>/dev/null))

CFLAGS_ALL = -std=gnu17 -D_GNU_SOURCE -g $(OPTIMIZE) -fPIE -Ilib -I. \
	-DSTATICIP_VERSION='"$(VERSION)"' -ffile-prefix-map=$(CURDIR)/= \
	$(WARNINGS) $(CC_PROBED) $(HARDENING) $(CFLAGS)
# json-c's foreach macro is a statement expression
CFLAGS_ALL += $(if $(findstring clang,$(CC)),-Wno-gnu-statement-expression)
LDFLAGS_ALL = -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code,--as-needed,--gc-sections \
	$(if $(SAN),$(SAN_$(SAN))) $(LDFLAGS)

# The probes cost half a second: kept beside the objects, per compiler.
PROBED := $(O)/probed.mk
ifeq ($(filter clean help deps demo test cluster cluster-down format,$(MAKECMDGOALS)),)
-include $(PROBED)
endif
$(PROBED): Makefile
	$(Q)pkg-config --exists $(PKG_agent) || { echo "libraries are missing; tests/deps.sh build installs them" >&2; exit 1; }
	$(Q)mkdir -p $(@D)
	$(Q)echo 'CC_PROBED := $(call probe,$(MORE_WARNINGS) $(if $(SAN),,$(MORE_HARDENING)))' >$@

# ---- layers (DESIGN.md, "Layout") -------------------------------------------

LAYERS := core table node net
COMPONENTS := plugin agent controller
src_layer = $(sort $(wildcard lib/$(1)/*.c))
src_component = $(sort $(filter-out $(1)/main.c,$(wildcard $(1)/*.c)))

# What each links with, uppermost first.
BELOW_core := core
BELOW_table := table core
BELOW_node := node table core
BELOW_net := net table core
BELOW_plugin := plugin node table core
BELOW_agent := agent net node table core
BELOW_controller := controller net table core

LIBS_core :=
LIBS_table := $(call pkg_libs,$(PKG_table))
LIBS_node := $(call pkg_libs,$(PKG_node))
LIBS_net := $(call pkg_libs,$(PKG_net)) -lev -lm
LIBS_plugin := $(LIBS_node)
LIBS_agent := $(LIBS_net) $(call pkg_libs,$(PKG_node))
LIBS_controller := $(LIBS_net)

archives = $(BELOW_$(1):%=$(O)/lib%.a)

BINARIES := $(O)/staticip $(O)/staticip-controller $(O)/staticip-agent

.PHONY: all
all: $(BINARIES) ## build the plugin, the agent and the controller

define layer_rules
OBJ_$(1) := $$(patsubst %.c,$(O)/%.o,$(2))
$$(OBJ_$(1)): CPPFLAGS_LAYER := $(call pkg_cflags,$(PKG_$(1)))
$(O)/lib$(1).a: $$(OBJ_$(1))
	$$(Q)echo "  AR      $$@"; rm -f $$@; ar rcsD $$@ $$^
endef
$(foreach l,$(LAYERS),$(eval $(call layer_rules,$(l),$(call src_layer,$(l)))))
$(foreach c,$(COMPONENTS),$(eval $(call layer_rules,$(c),$(call src_component,$(c)))))
$(foreach c,$(COMPONENTS),$(eval $(O)/$(c)/main.o: CPPFLAGS_LAYER := $(call pkg_cflags,$(PKG_$(c)))))

# What a sanitizer finds is a file in $(O)/reports: tests/sanitizers.
REPORTS := $(if $(filter address,$(SAN)),$(O)/tests/sanitizers/defaults.o)
$(REPORTS): CPPFLAGS_LAYER := -DSANITIZER_REPORTS='"$(abspath $(O))/reports"'

$(O)/%.o: %.c $(PROBED)
	$(Q)mkdir -p $(@D); echo "  CC      $@"
	$(Q)$(CC) $(CFLAGS_ALL) $(CPPFLAGS_LAYER) $(CPPFLAGS) -MMD -MP -c $< -o $@

# The plugin is copied to hosts whose libraries are not ours: static-pie.
# It lives for half a millisecond, so what it does not use costs: pages that are
# mapped and relocated. libnl can parse names (of hosts, protocols, /proc/net/psched) and
# drags in resolver, NSS, scanf for it; assert drags in message catalogues. We
# never call those parsers: lib/node builds addresses from bytes.
# Here whatever would still call them ends by abort.
NEVER_CALLED := getaddrinfo freeaddrinfo getnameinfo getprotobyname getprotobynumber \
	__isoc99_fscanf __isoc99_sscanf __assert_fail
# And libc looks for its executable's folder, in case it loads libraries from there.
INSTEAD := --defsym=_dl_get_origin=origin_unknown
# And what an ADD does use stands together.
PLUGIN_ORDER := plugin/order.ld
$(O)/staticip: $(O)/plugin/main.o $(REPORTS) $(call archives,plugin) $(PLUGIN_ORDER)
	$(Q)echo "  LD      $@"
	$(Q)$(CC) $(LDFLAGS_ALL) $(if $(SAN),-pie,-static-pie -Wl,-T,$(PLUGIN_ORDER) $(NEVER_CALLED:%=-Wl,--defsym=%=abort) -Wl,$(INSTEAD)) \
		-o $@ $(filter %.o %.a,$^) \
		$(if $(SAN),$(LIBS_plugin),$(call pkg_libs,$(PKG_plugin),--static))

$(O)/staticip-agent: $(O)/agent/main.o $(REPORTS) $(call archives,agent)
	$(Q)echo "  LD      $@"
	$(Q)$(CC) $(LDFLAGS_ALL) -pie -o $@ $(filter %.o %.a,$^) $(LIBS_agent)

$(O)/staticip-controller: $(O)/controller/main.o $(REPORTS) $(call archives,controller)
	$(Q)echo "  LD      $@"
	$(Q)$(CC) $(LDFLAGS_ALL) -pie -o $@ $(filter %.o %.a,$^) $(LIBS_controller)

# ---- unit tests: tests/unit/LAYER/test_MODULE.c ------------------------------

UNIT_SRC := $(sort $(wildcard tests/unit/*/test_*.c))
UNIT_BIN := $(UNIT_SRC:%.c=$(O)/%)

define unit_rules
$(patsubst %.c,$(O)/%.o,$(wildcard tests/unit/$(1)/*.c)): CPPFLAGS_LAYER := $(call pkg_cflags,$(PKG_$(1)) cmocka) -Wno-missing-prototypes
$(patsubst %.c,$(O)/%,$(wildcard tests/unit/$(1)/test_*.c)): %: %.o $(call archives,$(1))
	$$(Q)echo "  LD      $$@"
	$$(Q)$$(CC) $$(LDFLAGS_ALL) -pie -o $$@ $$< $$(filter %.a,$$^) $$(LIBS_$(1)) $(call pkg_libs,cmocka)
endef
$(foreach l,$(LAYERS) $(COMPONENTS),$(eval $(call unit_rules,$(l))))

.PHONY: unit
unit: $(UNIT_BIN) ## build and run the unit tests (SAN=address for the sanitizers)
	$(Q)tests/unit/run.sh $(UNIT_BIN)

# ---- tools of the tests: tests/tool/X.c, on lib/table -------------------------

TOOL_BIN := $(patsubst %.c,$(O)/%,$(sort $(wildcard tests/tool/*.c)))
$(TOOL_BIN:%=%.o): CPPFLAGS_LAYER := $(call pkg_cflags,$(PKG_table))
$(TOOL_BIN): %: %.o $(call archives,table)
	$(Q)echo "  LD      $@"
	$(Q)$(CC) $(LDFLAGS_ALL) -pie -o $@ $< $(filter %.a,$^) $(LIBS_table)
# The watcher of addresses links nothing of ours: a fault of ours would hide another.
WATCHER_SRC := $(sort $(wildcard tests/watcher/*.c))
WATCHER := $(O)/tests/watcher/watcher
$(WATCHER): $(WATCHER_SRC) $(wildcard tests/watcher/*.h) $(PROBED)
	$(Q)mkdir -p $(@D); echo "  CCLD    $@"
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -pie -pthread -o $@ $(WATCHER_SRC)
.PHONY: tools
tools: $(TOOL_BIN) $(WATCHER)

# ---- fuzzers: tests/fuzz/LAYER/fuzz_PARSER.c, corpus beside -----------------

FUZZ_BIN := $(patsubst %.c,$(O)/%,$(sort $(wildcard tests/fuzz/*/fuzz_*.c)))
define fuzz_rules
$(patsubst %.c,$(O)/%.o,$(wildcard tests/fuzz/$(1)/*.c)): CPPFLAGS_LAYER := $(call pkg_cflags,$(PKG_$(1))) -Wno-missing-prototypes
$(patsubst %.c,$(O)/%,$(wildcard tests/fuzz/$(1)/fuzz_*.c)): %: %.o $(call archives,$(1))
	$$(Q)echo "  LD      $$@"
	$$(Q)$$(CC) $$(LDFLAGS_ALL) -fsanitize=fuzzer -pie -o $$@ $$< $$(filter %.a,$$^) $$(LIBS_$(1))
endef
$(foreach l,$(LAYERS) $(COMPONENTS),$(eval $(call fuzz_rules,$(l))))

.PHONY: fuzz fuzz-build
fuzz: ## fuzz every parser, FUZZ_SECONDS (30) each; prints the corpus's coverage
	$(Q)$(MAKE) --no-print-directory CC=clang SAN=fuzz fuzz-build
	$(Q)tests/fuzz/run.sh
fuzz-build: $(FUZZ_BIN)

# ---- measuring: tests/bench ---------------------------------------------------

BENCH := $(O)/tests/bench/plugin_bench $(O)/tests/bench/empty $(O)/tests/bench/latency_probe
# Static and small: what it starts never counts less memory than it has itself.
$(O)/tests/bench/plugin_bench: tests/bench/plugin_bench.c $(PROBED)
	$(Q)mkdir -p $(@D); echo "  CCLD    $@"
	$(Q)$(CC) $(CFLAGS_ALL) -static -o $@ $<
$(O)/tests/bench/empty: tests/bench/empty.c
	$(Q)mkdir -p $(@D); echo "  CCLD    $@"
	$(Q)$(CC) -O2 -static -o $@ $<
$(O)/tests/bench/latency_probe.o: CPPFLAGS_LAYER := $(call pkg_cflags,$(PKG_net))
$(O)/tests/bench/latency_probe: %: %.o $(call archives,net)
	$(Q)echo "  LD      $@"
	$(Q)$(CC) $(LDFLAGS_ALL) -pie -o $@ $< $(filter %.a,$^) $(LIBS_net)
.PHONY: bench bench-tools bench-plugin bench-latency
bench-tools: $(BENCH)
bench: ## bench-plugin, then bench-latency; fails when either does
	$(Q)rc=0; $(MAKE) --no-print-directory bench-plugin || rc=1; $(MAKE) --no-print-directory bench-latency || rc=1; exit $$rc
bench-plugin: $(O)/staticip $(BENCH) ## the plugin against an empty process and the reference plugins; fails when a budget is missed
	$(Q)tests/deps.sh test
	$(Q)test -x build/cluster-bin/cni/host-local || tests/cluster/build.sh cni
	$(Q)mkdir -p $(O)/bench
	$(Q)tests/bench/run.sh plugin.py $(O)/staticip $(O)/tests/bench/empty $(O)/tests/bench/plugin_bench $(O)/bench/plugin.md $(ROUNDS)
bench-latency: $(BINARIES) $(BENCH) ## from an object to the row on the node, against two bare watch hops; fails when a budget is missed
	$(Q)tests/deps.sh test
	$(Q)test -x build/cluster-bin/kube-apiserver || tests/cluster/build.sh
	$(Q)mkdir -p $(O)/bench
	$(Q)tests/bench/latency.sh $(O)/bench/latency.md $(ROUNDS)

# ---- checks -----------------------------------------------------------------

.PHONY: check check-layers check-headers check-banned check-warnings
check: check-layers check-headers check-banned check-warnings ## everything that needs no test run: layers, headers, banned calls, both compilers
check-layers: ## each layer includes only what stands below it
	$(Q)tests/check/layers.sh
check-headers: $(PROBED) ## each header compiles alone
	$(Q)for l in $(LAYERS:%=lib/%) $(COMPONENTS); do for h in $$l/*.h; do [ -e $$h ] || continue; \
		$(CC) $(CFLAGS_ALL) -Wno-unused-macros $(call pkg_cflags,$(PKG_agent) $(PKG_controller)) -fsyntax-only -x c $$h || exit 1; done; done; echo "headers: each compiles alone"
check-banned: ## no banned call, nothing unfinished
	$(Q)tests/check/banned.sh
check-warnings: ## gcc and clang, all warnings as errors
	$(Q)$(MAKE) --no-print-directory CC=gcc O=build/gcc all
	$(Q)$(MAKE) --no-print-directory CC=clang O=build/clang all

# ---- the cluster, the demo, the tests ---------------------------------------

N ?= 2
.PHONY: cluster cluster-down deploy demo test deps images e2e
deps:
	$(Q)tests/deps.sh build
images: all ## controller and agent as image archives in build/images
	$(Q)images/build.sh
cluster: ## start a real cluster of N nodes (2); leaves build/cluster/admin.kubeconfig
	$(Q)tests/deps.sh cluster
	$(Q)tests/cluster/build.sh
	$(Q)tests/cluster/cluster.sh up $(N)
cluster-down: ## end it and remove everything it made
	$(Q)tests/cluster/cluster.sh down
deploy: images ## images into the nodes, chart onto the cluster; again after each change
	$(Q)tests/cluster/deploy.sh
demo: ## the whole story on a two-node cluster, from nothing (KEEP=1 leaves it up)
	$(Q)tests/deps.sh build cluster
	$(Q)tests/demo/demo.sh
test: ## every test; the last line is "N passed, N failed"
	$(Q)tests/deps.sh build test cluster
	$(Q)tests/run.sh

# ---- the rest ---------------------------------------------------------------

.PHONY: install clean help format
install: all ## install under DESTDIR
	install -D -m 755 $(O)/staticip $(DESTDIR)$(CNIBINDIR)/staticip
	install -D -m 755 $(O)/staticip-agent $(DESTDIR)$(SBINDIR)/staticip-agent
	install -D -m 755 $(O)/staticip-controller $(DESTDIR)$(SBINDIR)/staticip-controller
	install -D -m 644 plugin/staticip.8 $(DESTDIR)$(MANDIR)/man8/staticip.8
	install -D -m 644 agent/staticip-agent.8 $(DESTDIR)$(MANDIR)/man8/staticip-agent.8
	install -D -m 644 controller/staticip-controller.8 $(DESTDIR)$(MANDIR)/man8/staticip-controller.8
format: ## clang-format over the sources
	clang-format -i $$(git ls-files '*.c' '*.h')
clean: ## remove what was built; the test cluster's programs stay (build/cluster-bin)
	$(Q)rm -rf build/lib build/plugin build/agent build/controller build/tests build/*.a build/staticip* \
		build/address build/fuzz build/coverage build/valgrind build/gcc build/clang build/bench build/model \
		build/probed.mk build/images
help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' $(firstword $(MAKEFILE_LIST)) | column -t -s '|'

-include $(shell find $(addprefix $(O)/,lib plugin agent controller tests) -name '*.d' -type f 2>/dev/null)

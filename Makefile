# The front door.  make | make check | make up | make bench | make fuzz | make soak | make install
#
# Everything is built into $(B).  `make V=asan …` builds the same tree with AddressSanitizer and
# UndefinedBehaviorSanitizer into build-asan.  Rooms become one archive each; tests link the room they
# test and, by rooms.txt, everything that room may use.

MAKEFLAGS += -rR --no-print-directory
V        ?= release
CC       := gcc
B_release?= build
B_asan   ?= build-asan
B        ?= $(B_$(V))
PREFIX   ?= /usr/local

PKGS     := libuv libmicrohttpd libnghttp2 libprotobuf-c openssl libsodium sqlite3 jansson \
            libarchive libmnl libcurl libseccomp libbsd
PKG_C    := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)

WARN     := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes \
            -Wmissing-prototypes -Wold-style-definition -Wpointer-arith -Wcast-qual -Wwrite-strings \
            -Wformat=2 -Wundef -Wvla -Wimplicit-fallthrough -Wnull-dereference -Wdouble-promotion \
            -Wdate-time -Wlogical-op -Wduplicated-cond -Wrestrict -Werror
HARDEN   := -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection \
            -ftrivial-auto-var-init=zero -fzero-call-used-regs=used-gpr
COMMON   := -std=gnu17 -D_GNU_SOURCE -g -fPIE -fvisibility=hidden -fno-strict-aliasing \
            -fno-strict-overflow -fno-delete-null-pointer-checks -ffunction-sections -fdata-sections \
            -Isrc -isystem $(B)/gen $(PKG_C) -MMD -MP
CF_release := -O2 $(HARDEN)
CF_asan    := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
LF_release := -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code
LF_asan    := -fsanitize=address,undefined
CFLAGS_  = $(COMMON) $(CF_$(V)) $(CFLAGS)
LDFLAGS_ = -pie -Wl,--as-needed -Wl,--gc-sections $(LF_$(V)) $(LDFLAGS)

# --- rooms -----------------------------------------------------------------------------------------
ROOMS    := $(shell sed -n 's/^\([a-z]*\):.*/\1/p' rooms.txt)
SRCROOMS := $(filter-out proto main,$(ROOMS))
PROTOS   := $(wildcard proto/*.proto)
GOOGLE   := any duration timestamp wrappers
GENC     := $(PROTOS:proto/%.proto=$(B)/gen/proto/%.pb-c.c) $(GOOGLE:%=$(B)/gen/google/protobuf/%.pb-c.c)
GENH     := $(GENC:.c=.h)

# closure ROOM: the room and all it may use, most dependent first
closure   = $(shell awk -v want=$(1) -f tools/room-closure.awk rooms.txt)
archives  = $(foreach r,$(call closure,$(1)),$(B)/lib/$(r).a)

# libraries by room; a program links those of the rooms that it is made of (--as-needed trims)
LIBS_base := -lsodium
LIBS_proto := -lprotobuf-c
LIBS_loop := -luv
LIBS_keys := -lsodium
LIBS_tls := -lssl -lcrypto
LIBS_http := -lmicrohttpd -ljansson -luv
LIBS_rpc := -lnghttp2 -lprotobuf-c -luv
LIBS_store := -lsqlite3 -lprotobuf-c -luv
LIBS_ca := -lcrypto
LIBS_image := -larchive -ljansson -lcrypto -luv
LIBS_network := -lmnl -ljansson -luv
LIBS_runtime := -ljansson -lseccomp -luv
LIBS_agent := -lprotobuf-c -luv
LIBS_api := -ljansson -lprotobuf-c -luv
LIBS_cli := -lcurl -ljansson
libs      = $(sort $(foreach r,$(call closure,$(1)),$(LIBS_$(r))))

BINS     := $(B)/keepd $(B)/keep-manager $(B)/keep $(B)/keep-runtime $(B)/keep-unpack

.PHONY: all check check-quick up down deps clean format fuzz bench soak rooms lint install unit tests list-tests
.SECONDARY:
.DEFAULT_GOAL := all
all: $(BINS)

$(B)/gen/proto/%.pb-c.c $(B)/gen/proto/%.pb-c.h: proto/%.proto
	@mkdir -p $(@D)
	@protoc-c --proto_path=. --proto_path=/usr/include --c_out=$(B)/gen $< 2>&1 | grep -v '^proto/.*Unused' || :
	@test -s $(B)/gen/proto/$*.pb-c.h
$(B)/gen/google/protobuf/%.pb-c.c $(B)/gen/google/protobuf/%.pb-c.h: /usr/include/google/protobuf/%.proto
	@mkdir -p $(@D)
	@protoc-c --proto_path=/usr/include --c_out=$(B)/gen google/protobuf/$*.proto
$(GENC:.c=.o): $(B)/gen/%.o: $(B)/gen/%.c $(GENH)
	@$(CC) $(filter-out -Werror,$(CFLAGS_)) -w -c -o $@ $<

$(B)/obj/%.o: src/%.c | $(GENH)
	@mkdir -p $(@D)
	@echo "  CC $<"
	@$(CC) $(WARN) $(CFLAGS_) -c -o $@ $<
$(B)/obj/tests/%.o: tests/%.c | $(GENH)
	@mkdir -p $(@D)
	@$(CC) $(WARN) -Itests $(CFLAGS_) -c -o $@ $<

define room_rule
$(B)/lib/$(1).a: $(patsubst src/%.c,$(B)/obj/%.o,$(wildcard src/$(1)/*.c))
	@mkdir -p $$(@D)
	@rm -f $$@ && ar rcsD $$@ $$^
endef
$(foreach r,$(SRCROOMS),$(eval $(call room_rule,$(r))))
$(B)/lib/proto.a: $(GENC:.c=.o)
	@mkdir -p $(@D)
	@rm -f $@ && ar rcsD $@ $^

link = $(CC) $(CFLAGS_) $(LDFLAGS_) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group

# --- programs: src/main/NAME.c or src/main/NAME/*.c, and the rooms that each is made of --------------------------------------------------------
# keepd: the node.  keep-manager: the cluster.  keep: the CLI.  keep-runtime: what conmon calls.  keep-unpack: reads archives.
define program_rule
$(B)/$(1): $(patsubst src/%.c,$(B)/obj/%.o,$(wildcard src/main/$(1).c src/main/$(1)/*.c)) $(foreach r,$(2),$(B)/lib/$(r).a)
	@echo "  LD $$@"
	@$$(link) $(sort $(foreach r,$(2),$(LIBS_$(r))))
endef
$(eval $(call program_rule,keepd,api agent runtime image network http rpc model loop proto base))
$(eval $(call program_rule,keep-manager,dispatcher control scheduler orchestrator ca store rpc model keys tls loop proto base))
$(eval $(call program_rule,keep,cli base))
$(eval $(call program_rule,keep-runtime,))
$(eval $(call program_rule,keep-unpack,image loop base))

# --- unit and simulation tests: tests/unit/ROOM/test_*.c, tests/sim/test_*.c -------------------------
TESTLIB  := $(patsubst tests/%.c,$(B)/obj/tests/%.o,$(wildcard tests/lib/*.c))
define unit_rule
$(B)/tests/$(1)/%: $(B)/obj/tests/unit/$(1)/%.o $(TESTLIB) $(call archives,$(1))
	@mkdir -p $$(@D)
	@$$(link) $(call libs,$(1)) -lsodium
UNIT_$(1) := $(patsubst tests/unit/$(1)/%.c,$(B)/tests/$(1)/%,$(wildcard tests/unit/$(1)/test_*.c))
UNITS += $$(UNIT_$(1))
unit-$(1): $$(UNIT_$(1))
	@tools/run-tests $$^
endef
$(foreach r,$(SRCROOMS),$(eval $(call unit_rule,$(r))))
SIMROOMS := dispatcher control scheduler orchestrator ca store rpc model keys tls loop proto base
$(B)/tests/sim/%: $(B)/obj/tests/sim/%.o $(TESTLIB) $(foreach r,$(SIMROOMS),$(B)/lib/$(r).a)
	@mkdir -p $(@D)
	@$(link) $(sort $(foreach r,$(SIMROOMS),$(LIBS_$(r))))
SIMS := $(patsubst tests/sim/%.c,$(B)/tests/sim/%,$(wildcard tests/sim/test_*.c))
tests: $(UNITS) $(SIMS)
list-tests:
	@echo $(UNITS) $(SIMS)
unit: $(UNITS)
	@tools/run-tests $^

# --- the doors ----------------------------------------------------------------------------------------
rooms:
	@tools/check-rooms
check:
	@tools/check
check-quick:
	@tools/check quick
lint:
	@tools/check lint
up:
	@tools/up
down:
	@tools/down
deps:
	@tools/deps build run
bench: all
	@bench/run
fuzz:
	@tools/fuzz long
soak: all
	@tools/soak
format:
	@clang-format -i $(shell git ls-files -co --exclude-standard 'src/*.[ch]' 'tests/*.[ch]' | xargs -r ls -d 2>/dev/null)
clean:
	@rm -rf build build-asan build-fuzz
install: all
	@tools/install $(DESTDIR) $(PREFIX) $(B)

-include $(shell find $(B) -name '*.d' 2>/dev/null)

# What a person or a CI job types. Every target says what it runs and stops at the first thing that is wrong.
#
#   make demo    build, compile the example feed, audit the example fleet: under a minute after the build
#   make test    everything that must hold; .ci/run is this
#   make test-nix the cache server with the Nix of other Debians, which it installs by itself (needs root)
#   make bench   whole processes timed against the real corpora in ../shared
#   make fuzz    every parser of foreign bytes, FUZZ_SECONDS each (default 600)
#   make soak    the long forms of test, bench and fuzz

.DEFAULT_GOAL := help
.PHONY: help demo test test-nix check peers bench fuzz soak clean

help:
	@sed -n 's/^#   //p' Makefile

demo:
	@scripts/demo.sh

# The tests come last, so that the runner's summary is the last thing one reads.
test: peers check
	@scripts/tests.sh

test-nix:
	@scripts/test-nix.sh

peers:
	@scripts/peers.sh

check:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet
	@scripts/examples.sh

bench:
	@scripts/bench.sh

fuzz:
	@scripts/fuzz.sh $(FUZZ_SECONDS)

soak:
	@scripts/soak.sh

clean:
	cargo clean

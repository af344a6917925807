# Every check and task in one word. `just` lists them.

_default:
    @just --list

# everything that CI runs
ci:
    .ci/run

# format the sources
fmt:
    cargo fmt

# lint both graphs: every target with the demo, and what ships
lint:
    cargo clippy --locked --features demo --all-targets -- -D warnings
    cargo clippy --locked -- -D warnings

# all tests, or a part: just test --test it trust
test *args:
    tests/run {{args}}

# the whole way in under a minute, with no other set-up
demo *args:
    cargo run --locked --features demo -- demo {{args}}

# benchmarks, and the fits against Python's libraries with the ratios
bench:
    cargo bench --locked --bench apply --bench decode
    benches/peers/run

# the sizes of the release binaries against the limit
size:
    benches/size

# licences, sources, advisories and double versions (cargo install cargo-deny)
deny:
    cargo deny --locked check
    cargo deny --locked --all-features check licenses

# the release binaries for ARM gateways: just cross, or just cross armv7
cross *processors:
    cross/build {{processors}}

# the ARM part of the tests, under qemu-user
cross-test *processors:
    cross/test {{processors}}

# the Debian packages for amd64, arm64 and armhf
packages:
    packaging/all

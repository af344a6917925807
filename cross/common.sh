# What the scripts of this folder share; sourced at the top of the repository.
# shellcheck shell=bash

# Everything that is fetched or made for cross builds. Delete it to have it made anew, with Debian's newest compiler.
work=$PWD/target/cross
# The oldest glibc that the programs run with (docs/decisions/0260).
glibc=2.28

# The names of the processors that were asked for, all if none was.
processors() {
    local name
    [ "$#" -gt 0 ] || set -- aarch64 armv7
    for name in "$@"; do
        triple "$name" >/dev/null
        printf '%s\n' "$name"
    done
}

# Rust's name of the processor's target.
triple() {
    case $1 in
        aarch64) echo aarch64-unknown-linux-gnu ;;
        armv7) echo armv7-unknown-linux-gnueabihf ;;
        *)
            echo "cross: no processor is called \`$1\`; take aarch64 or armv7" >&2
            return 1
            ;;
    esac
}

# Debian's name of its architecture.
debian() {
    case $1 in
        aarch64) echo arm64 ;;
        armv7) echo armhf ;;
    esac
}

# Debian's name of its cross compiler's folder.
multiarch() {
    case $1 in
        aarch64) echo aarch64-linux-gnu ;;
        armv7) echo arm-linux-gnueabihf ;;
    esac
}

# Once it is set up: cargo is the machine's own, or the one that came with the compiler, and goes with that.
take_cargo() {
    if [ -z "${CARGO-}" ] && [ -x "$work/cargo" ]; then
        export CARGO=$work/cargo RUSTC=$work/rustc
    fi
}

# Cargo for a processor, with the compiler and the linker of target/cross: cross_cargo PROCESSOR COMMAND ARGUMENT...
cross_cargo() {
    local name=$1 command=$2 std=() flags=${RUSTFLAGS-}
    shift 2
    [ "$name" != armv7 ] || flags+=" -C link-arg=$work/read_tp.o"
    # Only where Debian has no ready standard library: cross/setup says when.
    if [ -e "$work/rust/build-std-$name" ]; then
        std=("-Zbuild-std=std,panic_unwind")
        local -x RUSTC_BOOTSTRAP=1
    fi
    RUSTC=$work/rustc RUSTFLAGS=$flags \
        CARGO_ZIGBUILD_PYTHON_PATH=$work/venv/bin/python \
        CARGO_ZIGBUILD_CACHE_DIR=$work/zigbuild \
        ZIG_GLOBAL_CACHE_DIR=$work/zig \
        "$work/venv/bin/cargo-zigbuild" "$command" --locked --target "$(triple "$name").$glibc" "${std[@]}" "$@"
}

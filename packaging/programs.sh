# shellcheck shell=bash
# Sourced by what makes release programs, in the root of the repository.

# Runs a build so that the programs hold no folder of this machine: panics name source files, C's assertions too.
without_folders() {
    local cargo_home=${CARGO_HOME:-$HOME/.cargo} flags
    flags=$(sed -n 's/^CFLAGS = "\(.*\)"$/\1/p' .cargo/config.toml)
    CFLAGS="$flags -ffile-prefix-map=$PWD=/calibd -ffile-prefix-map=$cargo_home=/cargo" \
        RUSTFLAGS="${RUSTFLAGS-} --remap-path-prefix=$PWD=/calibd --remap-path-prefix=$cargo_home=/cargo" \
        "$@"
}

# The newest glibc of which one of the programs uses something.
needed_glibc() {
    readelf --version-info --wide "$@" |
        grep -oE 'GLIBC_(ABI_DT_RELR|[0-9.]+)' | sed -e 's/.*ABI_DT_RELR/2.36/' -e 's/GLIBC_//' | sort -uV | tail -n 1
}

# shellcheck shell=bash
# Sourced by what makes release programs, in the root of the repository.

# Runs a build so that the programs hold no folder of this machine: panics name source files, C's assertions too. That of the
# registry has a name by its address, so what comes from a mirror would make other bytes: without_folders TARGET COMMAND...
without_folders() {
    local cargo_home=${CARGO_HOME:-$HOME/.cargo} target=$1 folder c rust
    shift
    # What is not there yet has no folder.
    "${CARGO:-cargo}" fetch --locked --quiet --target "$target"
    c="$(sed -n 's/^CFLAGS = "\(.*\)"$/\1/p' .cargo/config.toml) -ffile-prefix-map=$PWD=/calibd"
    rust="${RUSTFLAGS-} --remap-path-prefix=$PWD=/calibd"
    for folder in "$cargo_home"/registry/src/*; do
        [ -d "$folder" ] || continue
        c+=" -ffile-prefix-map=$folder=/cargo"
        rust+=" --remap-path-prefix=$folder=/cargo"
    done
    CFLAGS=$c RUSTFLAGS=$rust "$@"
}

# The newest glibc of which one of the programs uses something.
needed_glibc() {
    readelf --version-info --wide "$@" |
        grep -oE 'GLIBC_(ABI_DT_RELR|[0-9.]+)' | sed -e 's/.*ABI_DT_RELR/2.36/' -e 's/GLIBC_//' | sort -uV | tail -n 1
}

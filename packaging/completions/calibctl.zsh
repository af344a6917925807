#compdef calibctl
# Loaded at the first tabulator behind calibctl, which says itself what it knows, as the function _calibctl.
source <(calibctl completions zsh)
_calibctl "$@"

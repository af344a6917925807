# Loaded at the first tabulator behind calibctl, which says itself what it knows.
source <(calibctl completions bash)

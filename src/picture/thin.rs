//! Fewer points where there are more than anybody can tell apart.

/// Most points in one picture: some 300 kB.
pub const MOST: usize = 5_000;

/// The places that are drawn, evenly spread, the last one included.
pub fn places(count: usize) -> Vec<usize> {
    if count <= MOST {
        return (0..count).collect();
    }
    (0..MOST).map(|at| at * (count - 1) / (MOST - 1)).collect()
}

/// What the legend says of `count` points.
pub fn said(what: &str, count: usize) -> String {
    match count {
        0..=MOST => format!("{what}, n = {count}"),
        _ => format!("{what}, n = {count}, {MOST} of them drawn"),
    }
}

/// How a cloud of so many points is drawn: class and radius.
pub fn cloud(count: usize) -> (&'static str, f64) {
    match count {
        0..=60 => ("data", 4.0),
        61..=400 => ("data", 3.0),
        401..=1500 => ("many", 2.4),
        _ => ("many", 1.8),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_points_are_thinned_evenly_and_it_is_said() {
        assert_eq!(places(3), [0, 1, 2]);
        let thinned = places(34_068);
        assert_eq!((thinned.len(), thinned[0], thinned[MOST - 1]), (MOST, 0, 34_067));
        assert!(thinned.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(said("pairs", 34_068), "pairs, n = 34068, 5000 of them drawn");
    }
}

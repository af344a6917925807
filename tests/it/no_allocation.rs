//! Calibrating a reading allocates nothing, whatever the transform and wherever the reading lies.
//!
//! The allocator counts per thread, so that tests running beside this one don't matter.

#![expect(unsafe_code, reason = "an allocator that counts has to implement an unsafe trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use calibd::domain::transform::artifact::Transform;
use calibd::domain::transform::{Input, compile};

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // gone while a thread ends; nothing is counted then
    let _ = COUNT.try_with(|count| count.set(count.get() + 1));
}

// SAFETY: every call goes to the system's allocator unchanged; counting neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

fn allocations(work: impl FnOnce()) -> u64 {
    let before = COUNT.get();
    work();
    COUNT.get() - before
}

const PIPELINE: &str = r#"{"kind": "offset", "offset": 1, "covariance": [[0.1]]},
    {"kind": "polynomial", "coefficients": [0, 1, 0.001], "covariance": [[1, 0, 0], [0, 1e-4, 0], [0, 0, 1e-9]]},
    {"kind": "table", "x": [0, 10, 50, 100], "y": [0, 11, 48, 103]},
    {"kind": "affine", "offset": 0, "gain": 1.1, "covariance": [[1, 0.01], [0.01, 1]]},
    {"kind": "unit", "from": "[ppb]", "to": "[ppm]"}"#;

fn transform(outside: &str) -> Transform {
    let text = format!(
        r#"{{"schema": 1, "id": "t", "epoch": 1, "version": 1,
            "target": {{"fleet": "f", "sensors": ["s"]}}, "quantity": "q", "input_unit": "mV",
            "output_unit": "[ppm]", "pipeline": [{PIPELINE}],
            "domain": {{"input": [0, 100], "output": [0, 0.2], "covariates": {{"temperature": [0, 40]}},
                "outside": "{outside}"}},
            "uncertainty": {{"residual_std": 0.08}},
            "issued_at": "2026-11-22T10:00:00Z", "expires": "2027-11-22T00:00:00Z"}}"#
    );
    Transform::parse(text.as_bytes()).expect("parses")
}

#[test]
fn calibrating_a_reading_allocates_nothing() {
    assert_ne!(allocations(|| drop(transform("flag"))), 0, "the allocator counts");
    for outside in ["clamp", "flag", "reject", "extrapolate"] {
        let compiled = compile(&transform(outside)).expect("compiles");
        for raw in [50.0, -1000.0, 1e300, f64::NAN] {
            for temperature in [Some(20.0), Some(-20.0), None] {
                let covariates = [temperature];
                let input = Input { raw, u_raw: Some(0.1), covariates: &covariates, age_days: 3.0 };
                let count = allocations(|| {
                    std::hint::black_box(compiled.apply(std::hint::black_box(&input)));
                });
                assert_eq!(count, 0, "{outside} {input:?}");
            }
        }
    }
}

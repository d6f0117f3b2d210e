//! The heap, measured: what an input may take is a promise (09-security, row 10), and asserted at every input.

use peak_alloc::PeakAlloc;

/// Runs `work` and checks that it never held more than what `input_bytes` of unpacked input allow.
pub fn bounded<T>(input_bytes: usize, work: impl FnOnce() -> T) -> T {
    let (done, peak) = peak(work);
    let bound = (RATIO_MAX * input_bytes + SLACK_BYTES).min(BYTES_MAX);
    assert!(
        peak <= bound,
        "{peak} bytes of heap for {input_bytes} bytes of input"
    );
    done
}

/// Runs `work` and says how much more than before it held at most.
pub fn peak<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = HEAP.current_usage();
    HEAP.reset_peak_usage();
    let done = work();
    (done, HEAP.peak_usage().saturating_sub(before))
}

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

const RATIO_MAX: usize = 16;
const SLACK_BYTES: usize = 64 << 10;
const BYTES_MAX: usize = 64 << 20;

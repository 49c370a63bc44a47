//! Whether this processor has the instructions that the tensor library's kernels use without asking: where one is missing, the first product of
//! two quantized numbers would end the process. This file must not know models.

use crate::error::ModelError;

/// Says what is missing.
///
/// # Errors
/// [`ModelError::Processor`].
#[cfg_attr(
    not(target_arch = "aarch64"),
    expect(clippy::unnecessary_wraps, reason = "only one architecture lacks anything")
)]
pub(crate) fn check() -> Result<(), ModelError> {
    // candle-core 0.11.1, quantized/neon.rs: every dot product is `sdot`. The processors of the Raspberry Pi 3 and 4 (Cortex-A53, A72) lack it.
    #[cfg(target_arch = "aarch64")]
    if !std::arch::is_aarch64_feature_detected!("dotprod") {
        return Err(ModelError::Processor {
            expected: "dot product instructions (asimddp in /proc/cpuinfo: Cortex-A55, A75, A76 and later, as in a Raspberry Pi 5)",
        });
    }
    Ok(())
}

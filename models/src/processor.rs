//! Whether this processor has the instructions that the tensor library's kernels use without asking: where one is missing, the first product of
//! two quantised numbers would end the process. This file must not know models.

/// Whether products of quantised numbers can be computed here.
///
/// candle-core 0.11.1, quantized/neon.rs: every such product is `sdot`, which the processors of the Raspberry Pi 3 and 4 (Cortex-A53, A72) lack.
/// Its products of F32 numbers need nothing that an `AArch64` processor has not.
pub(crate) fn multiplies_quantised() -> bool {
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("dotprod");
    #[cfg(not(target_arch = "aarch64"))]
    true
}

//! The accent colour, and the colour of text on it.

/// Returns a colour as in CSS, such as `#1d4ed8`.
pub fn css([red, green, blue]: [u8; 3]) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// Returns white or black, whichever is easier to read on a colour. One of them always has a contrast of at least 4.5
/// (WCAG 2, AA).
pub fn text_on(colour: [u8; 3]) -> &'static str {
    // With a luminance of 0.179, both have the same contrast.
    if luminance(colour) < 179_000 { "#ffffff" } else { "#000000" }
}

/// The relative luminance of WCAG 2, in millionths.
fn luminance([red, green, blue]: [u8; 3]) -> u64 {
    (2_126 * linear(red) + 7_152 * linear(green) + 722 * linear(blue)) / 10_000
}

/// The linear value of an sRGB value, in millionths: ((c + 0.055) / 1.055)^2.4, in whole numbers.
fn linear(value: u8) -> u64 {
    if value <= 10 {
        // c / 12.92
        return u64::from(value) * 1_000_000 * 100 / (255 * 1_292);
    }
    // In thousandths; then y^5 = x^12.
    let x = (u128::from(value) * 1_000_000 + 14_025_000) / 269_025;
    let twelfth = x.pow(12);
    // y is in hundred-thousandths: (y / 10^5)^5 <= (x / 10^3)^12.
    let (mut low, mut high) = (0_u128, 100_001);
    while high - low > 1 {
        let middle = (low + high) / 2;
        if middle.pow(5) * 10_u128.pow(11) <= twelfth { low = middle } else { high = middle }
    }
    u64::try_from(low * 10).unwrap_or(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_can_be_read_on_any_colour() {
        for (colour, text) in [
            ([0x1d, 0x4e, 0xd8], "#ffffff"),
            ([0, 0, 0], "#ffffff"),
            ([0xff, 0xff, 0xff], "#000000"),
            ([0xff, 0xd7, 0], "#000000"),
            // The greys beside the boundary: 117 has a luminance of 0.178, 118 of 0.181.
            ([117, 117, 117], "#ffffff"),
            ([118, 118, 118], "#000000"),
        ] {
            assert_eq!(text_on(colour), text, "{colour:?}");
        }
        assert_eq!(css([0x1d, 0x4e, 0xd8]), "#1d4ed8");
        assert_eq!((linear(0), linear(255)), (0, 1_000_000));
    }
}

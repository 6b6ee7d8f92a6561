//! QR codes as PNG images.

use qrcode::{Color, EcLevel, QrCode};

/// Pixels of each module, and modules of white around the code (ISO 18004 asks for 4).
const MODULE: usize = 4;
const QUIET: usize = 4;

/// Returns the QR code of a text as a PNG image, or `None` if the text is too long for one.
pub fn png(text: &str) -> Option<Vec<u8>> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
    let (width, colours) = (code.width(), code.to_colors());
    let size = (width + 2 * QUIET) * MODULE;
    let row_bytes = size.div_ceil(8);
    // One bit a pixel; 1 is white.
    let mut pixels = vec![0xff_u8; row_bytes * size];
    for (i, _) in colours.iter().enumerate().filter(|(_, colour)| **colour == Color::Dark) {
        let (top, left) = ((i / width + QUIET) * MODULE, (i % width + QUIET) * MODULE);
        for y in top..top + MODULE {
            for x in left..left + MODULE {
                pixels[y * row_bytes + x / 8] &= !(0x80 >> (x % 8));
            }
        }
    }
    encoded(u32::try_from(size).ok()?, &pixels)
}

fn encoded(size: u32, pixels: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, size, size);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    let mut writer = encoder.write_header().ok()?;
    writer.write_image_data(pixels).ok()?;
    writer.finish().ok()?;
    Some(bytes)
}

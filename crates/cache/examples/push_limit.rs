//! What a push can cost at best on this machine: `cargo run --release -p aux-cache --example push_limit STORE/*`, one thread,
//! megabytes of NAR for each second of the processor.

#![expect(clippy::print_stdout, reason = "it is run to be read")]

use std::error::Error;
use std::hint::black_box;
use std::path::Path;

use aux_cache::client::dump;
use aux_core::limits::{CACHE_CHUNK_BYTES_AVERAGE, CACHE_CHUNK_BYTES_MAX, CACHE_CHUNK_BYTES_MIN};
use aux_nix::Sha256;
use fastcdc::v2020::FastCDC;

const LEVEL: i32 = 3;

fn main() -> Result<(), Box<dyn Error>> {
    let steps = ["SHA-256", "FastCDC", "BLAKE3", "zstd 3"];
    let mut seconds = [0.0; 4];
    let mut megabytes = 0.0;
    for path in std::env::args_os().skip(1) {
        let nar = dump(Path::new(&path), Vec::new())?;
        let (min, average, max) = (CACHE_CHUNK_BYTES_MIN, CACHE_CHUNK_BYTES_AVERAGE, CACHE_CHUNK_BYTES_MAX);
        let mut at = processor_seconds()?;
        let mut step = |number: usize| -> Result<(), Box<dyn Error>> {
            let now = processor_seconds()?;
            if let Some(sum) = seconds.get_mut(number) {
                *sum += now - at;
            }
            at = now;
            Ok(())
        };
        black_box(Sha256::of(&nar));
        step(0)?;
        let chunks: Vec<&[u8]> = FastCDC::new(&nar, min, average, max)
            .filter_map(|chunk| nar.get(chunk.offset..chunk.offset + chunk.length))
            .collect();
        step(1)?;
        for chunk in &chunks {
            black_box(blake3::hash(chunk));
        }
        step(2)?;
        for chunk in &chunks {
            black_box(zstd::bulk::compress(chunk, LEVEL)?);
        }
        step(3)?;
        #[expect(clippy::cast_precision_loss, reason = "no NAR is that large")]
        let size = nar.len() as f64 / 1e6;
        megabytes += size;
    }
    for (step, seconds) in steps.iter().zip(seconds) {
        println!("{step:<8}{:>8.0} MB/s", megabytes / seconds);
    }
    println!("together{:>8.0} MB/s of {megabytes:.0} MB", megabytes / seconds.iter().sum::<f64>());
    Ok(())
}

/// What this thread has used, which others on the machine do not change (proc(5), `schedstat`).
fn processor_seconds() -> Result<f64, Box<dyn Error>> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds: f64 = text.split(' ').next().unwrap_or_default().parse()?;
    Ok(nanoseconds / 1e9)
}

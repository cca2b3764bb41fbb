//! How fast NARs are read: `cargo run --release -p aux-nix --example nar_speed FILE.nar`, beside copying the same bytes.

#![expect(clippy::print_stdout, reason = "it is run to be read")]

use std::error::Error;
use std::hint::black_box;
use std::io::Read;
use std::time::Instant;

use aux_nix::references::ReferenceScanner;
use aux_nix::{BaseName, Sha256, nar};

const ROUNDS: u32 = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).ok_or("name a file that holds a NAR")?;
    let bytes = std::fs::read(path)?;
    let mut target = vec![0; 1 << 20];
    measure("copy in memory", &bytes, || {
        let mut source = bytes.as_slice();
        while source.read(&mut target)? > 0 {
            black_box(&target);
        }
        Ok(())
    })?;
    measure("read, contents passed over", &bytes, || {
        let mut reader = nar::Reader::new(bytes.as_slice());
        while black_box(reader.next()?).is_some() {}
        Ok(())
    })?;
    measure("read, contents taken", &bytes, || {
        let mut reader = nar::Reader::new(bytes.as_slice());
        while let Some((_, mut content)) = reader.next_with_content()? {
            while content.read(&mut target)? > 0 {
                black_box(&target);
            }
        }
        Ok(())
    })?;
    let digest =
        |index: usize| BaseName::parse(&format!("{}-x", Sha256::of(&index.to_le_bytes()).nix32().split_at(32).0));
    let candidates = (0..300).map(digest).collect::<Result<Vec<_>, _>>()?;
    measure("scan for 300 references", &bytes, || {
        let mut scanner = ReferenceScanner::new(candidates.clone());
        for piece in bytes.chunks(1 << 20) {
            scanner.update(piece);
        }
        black_box(scanner.finish());
        Ok(())
    })?;
    measure("SHA-256", &bytes, || {
        black_box(Sha256::of(&bytes));
        Ok(())
    })
}

/// Prints the best of some rounds.
fn measure(
    what: &str,
    bytes: &[u8],
    mut act: impl FnMut() -> Result<(), Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        act()?;
        best = best.min(start.elapsed().as_secs_f64());
    }
    let megabytes = u32::try_from(bytes.len() / 1_000_000).map(f64::from)?;
    println!("{what:<28} {:>8.0} MB/s", megabytes / best);
    Ok(())
}

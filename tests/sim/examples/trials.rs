use ottla_sim::{Report, Trial};
use std::collections::BTreeMap;
fn main() {
    let a: Vec<u64> = std::env::args()
        .skip(1)
        .map(|a| a.parse().unwrap())
        .collect();
    let (from, to) = (a[0], a[1]);
    let start = std::time::Instant::now();
    let mut total = Report::default();
    let mut rules: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for seed in from..to {
        let mut trial = Trial::new(seed);
        if to == from + 1 {
            trial.keep_trace();
        }
        match trial.run() {
            Ok(report) => {
                total.add(&report);
                if to == from + 1 {
                    for l in trial.trace() {
                        println!("{l}");
                    }
                }
            }
            Err(broken) => {
                if to == from + 1 {
                    println!("{broken}");
                } else {
                    println!("seed {}: {}: {:.300}", seed, broken.rule, broken.what);
                }
                rules.entry(broken.rule).or_default().push(seed);
            }
        }
    }
    println!("{:?}", total);
    println!(
        "{:?}",
        rules
            .iter()
            .map(|(k, v)| (k, v.len(), v[0]))
            .collect::<Vec<_>>()
    );
    println!("{:?} for {} seeds", start.elapsed(), to - from);
}

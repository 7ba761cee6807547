use gbmi::{checker::*, model::*, search::*};
fn main(){ for a in std::env::args().skip(1){ let n=Network::load(a.as_ref()).unwrap(); let t=std::time::Instant::now();
 let p=prove(&n,Strategy::BruteForce,Options{threads:2,..Default::default()}).unwrap();
 println!("{a} {} of {} flops {} int {} {:?}",p.certified.correct,p.certified.total,p.certified.meter.flops(),p.certified.meter.int_ops(),t.elapsed());}}

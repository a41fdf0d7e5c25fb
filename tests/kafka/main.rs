//! ottla against the real thing: Apache Kafka's broker, its tools, its Java producer, and kcat.
//!
//! These tests run only where `OTTLA_KAFKA_LIBS` names the folder with Kafka's jars: `tests/run` sees to that.
#![cfg_attr(not(feature = "tokio"), allow(unused))]

mod broker;
mod chaos;
mod codecs;
mod command_line;
mod compression;
mod consumer;
mod control;
mod delivery;
mod java;
mod job;
mod leaders;
mod ledger;
mod metadata;
mod node;
mod nodes;
mod parcels;
mod peers;
mod process;
mod produce;
mod recompression;
mod segments;
mod tapes;
mod tools;
mod workload;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use ottla::Compression;

use chaos::Plan;
use java::Java;
use job::Produce;
use nodes::Nodes;

fn main() -> ExitCode {
    let Some(java) = Java::from_env() else {
        println!("left out: the tests against a real Kafka; to run them: tests/run");
        return ExitCode::SUCCESS;
    };
    let plan = match Plan::from_env().transpose() {
        Ok(plan) => plan,
        Err(why) => {
            eprintln!("OTTLA_KAFKA_CHAOS or OTTLA_KAFKA_SEED: {why}");
            return ExitCode::FAILURE;
        }
    };
    let mut arguments = Arguments::from_args();
    // Each of them has a Kafka of its own.
    arguments.test_threads.get_or_insert(1);
    let mut trials = trials(&java);
    match plan {
        Some(plan) => trials.push(chaos(&java, plan)),
        None => println!("left out: minutes of chaos; to run them too: tests/run --long"),
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trials(java: &Java) -> Vec<Trial> {
    let trial = |name: &str, test: fn(&Java) -> Result<(), String>| {
        let java = java.clone();
        Trial::test(name, move || Ok(test(&java)?))
    };
    let nodes = Nodes::default();
    let kills = |runtime: &'static str, codec: Compression, produce: Produce| {
        let (java, nodes) = (java.clone(), nodes.clone());
        let name = format!("three_nodes_survive_kills_{runtime}");
        Trial::test(name, move || {
            Ok(nodes.survive_kills(&java, runtime, codec, produce)?)
        })
    };
    let mut trials = vec![
        trial("the_judge_notices_every_fault", |_| {
            ledger::notices_every_fault()
        }),
        trial("control_arrives", |java| {
            delivery::arrive(java, 5_000, control::produce)
        }),
        #[cfg(feature = "tokio")]
        trial("ottla_arrives", |java| {
            delivery::arrive(java, 100_000, produce::on_tokio)
        }),
        #[cfg(feature = "tokio")]
        trial("ottla_survives_a_kill", |java| {
            delivery::survive_a_kill(java, 100_000, produce::on_tokio)
        }),
        #[cfg(feature = "tokio")]
        kills("on_tokio", Compression::None, produce::on_tokio),
        #[cfg(feature = "smol")]
        kills("on_smol", Compression::Zstd, produce::on_smol),
        #[cfg(feature = "blocking")]
        kills("on_a_thread", Compression::Lz4, produce::on_a_thread),
        trial("the_model_answers_as_kafka_does", tapes::agree),
        trial("ottla_produce_delivers_a_file", command_line::produce),
        trial("kcat_is_at_home_in_the_embedded_cluster", |_| {
            let cluster = embedded()?;
            peers::kcat_is_at_home(&cluster.bootstrap_servers())
        }),
        trial("java_is_at_home_in_the_embedded_cluster", |java| {
            let cluster = embedded()?;
            peers::java_is_at_home(java, &cluster.bootstrap_servers())
        }),
        trial(
            "kafka_s_tools_are_at_home_in_the_embedded_cluster",
            |java| {
                let cluster = ottla_sim::Cluster::start(3).map_err(|e| e.to_string())?;
                tools::are_at_home(java, &cluster.bootstrap_servers())
            },
        ),
        trial(
            "every_form_of_a_codec_is_judged_as_is_written",
            codecs::are_judged_as_is_written,
        ),
    ];
    if compression::is_built_in() {
        trials.push(trial(
            "compressed_batches_are_read_by_java_and_kcat",
            compression::is_read_by_others,
        ));
        trials.push(trial(
            "compressed_batches_are_cut_for_a_narrow_topic",
            compression::is_cut_for_a_narrow_topic,
        ));
        #[cfg(feature = "tokio")]
        trials.push(trial(
            "a_topic_compresses_again_with_its_own_codec",
            recompression::keeps_every_record,
        ));
    }
    trials
}

fn chaos(java: &Java, plan: Plan) -> Trial {
    let runtimes: &[(&str, Produce)] = &[
        #[cfg(feature = "tokio")]
        ("on_tokio", produce::on_tokio),
        #[cfg(feature = "smol")]
        ("on_smol", produce::on_smol),
        #[cfg(feature = "blocking")]
        ("on_a_thread", produce::on_a_thread),
    ];
    let java = java.clone();
    Trial::test("three_nodes_survive_chaos", move || {
        Ok(chaos::reign(&java, plan, runtimes)?)
    })
}

fn embedded() -> Result<ottla_sim::Cluster, String> {
    ottla_sim::Cluster::start(1).map_err(|e| e.to_string())
}

//! The forms that a codec may take, as the model's tests have them: Kafka gives the answers that are written beside them.

use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{ProduceRequest, ProduceResponse, RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, StrBytes};

use crate::broker::Kafka;
use crate::java::Java;
use crate::tapes::{Heard, Real, World};

/// Each line but the comments is `NAME | CODE | BATCH IN HEX`.
const FORMS: &str = include_str!("../sim/tests/codecs/forms.txt");
/// The same with the number of records in the place of the code.
const CLIENTS: &str = include_str!("../sim/tests/codecs/clients.txt");
const TOPIC: &str = "forms";
const VERSION: i16 = 12;

pub(crate) fn are_judged_as_is_written(java: &Java) -> Result<(), String> {
    let kafka = Kafka::start(java, 1)?;
    kafka.create_topic(TOPIC, 1, &[])?;
    kafka.settle(TOPIC)?;
    let address = kafka.bootstrap_servers().parse();
    let mut kafka = Real::new(address.map_err(|e| format!("{e}"))?);
    let forms = FORMS.lines().map(|line| (line, None));
    let clients = CLIENTS.lines().map(|line| (line, Some(0)));
    let mut wrong = Vec::new();
    for (line, taken) in forms
        .chain(clients)
        .filter(|(line, _)| !line.starts_with('#'))
    {
        let fields: Vec<&str> = line.split(" | ").collect();
        let [name, code, batch] = fields[..] else {
            return Err(format!("no sample: {line:.80}"));
        };
        let expected = match taken {
            Some(code) => code,
            None => code.parse().map_err(|_| format!("{name}: {code}"))?,
        };
        match judge(&mut kafka, &from_hex(batch)?)? {
            code if code == expected => {}
            code => wrong.push(format!(
                "{name}: {expected} is written, Kafka answers {code}"
            )),
        }
    }
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(wrong.join("\n")),
    }
}

/// The code that a broker answers to a batch.
fn judge(kafka: &mut Real, batch: &[u8]) -> Result<i16, String> {
    let data = PartitionProduceData::default().with_records(Some(batch.to_vec().into()));
    let topic = TopicProduceData::default()
        .with_name(StrBytes::from_static_str(TOPIC).into())
        .with_partition_data(vec![data]);
    let request = ProduceRequest::default()
        .with_acks(-1)
        .with_timeout_ms(10_000)
        .with_topic_data(vec![topic]);
    let mut frame = Vec::new();
    let header = RequestHeader::default()
        .with_request_api_version(VERSION)
        .with_correlation_id(7);
    let encoded = header
        .encode(&mut frame, ProduceRequest::header_version(VERSION))
        .and_then(|()| request.encode(&mut frame, VERSION));
    encoded.map_err(|e| e.to_string())?;
    let Heard::Frame(answer) = kafka.ask(0, &frame, false)? else {
        return Err("Kafka closed the connection".to_owned());
    };
    let mut answer = answer.as_slice();
    let read = ResponseHeader::decode(&mut answer, ProduceResponse::header_version(VERSION))
        .and_then(|_| ProduceResponse::decode(&mut answer, VERSION));
    let response = read.map_err(|e| e.to_string())?;
    let partition = response.responses.first();
    let partition = partition.and_then(|topic| topic.partition_responses.first());
    let partition = partition.ok_or("the answer names no partition")?;
    Ok(partition.error_code)
}

fn from_hex(digits: &str) -> Result<Vec<u8>, String> {
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).map_err(|e| e.to_string());
    (0..digits.len()).step_by(2).map(byte).collect()
}

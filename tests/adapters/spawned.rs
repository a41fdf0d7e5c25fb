//! Every call in the forms in which people write it, in a task that an executor may move between threads.

use std::{future::Future, time::Duration};

use ottla::{Delivery, Producer, Record, Setup, Topic, TopicRef};

use super::harness::{cluster, log, settings, within_a_minute};

struct Order {
    topic: String,
    id: String,
    body: Vec<u8>,
}

impl Order {
    fn numbered(n: usize) -> Self {
        Self {
            topic: "t".to_owned(),
            id: n.to_string(),
            body: format!("body {n}").into_bytes(),
        }
    }
}

fn record(order: &Order) -> Record<'_> {
    Record::to(&order.topic).key(&order.id).value(&order.body)
}

async fn one_by_one(producer: Producer, orders: Vec<Order>, topic: Topic) {
    for order in &orders {
        let named = Record::to("t").key(&order.id).value(&order.body);
        producer.send(named).await.unwrap().await.unwrap();
        let by_handle = Record::to(topic).key(&order.id).value(&order.body);
        let delivery: Delivery = producer.send(by_handle).await.unwrap();
        producer.send_with(record(order), |_| ()).await.unwrap();
        let id = order.id.clone();
        let callback = move |result: Result<_, _>| drop((id, result));
        producer.send_with(record(order), callback).await.unwrap();
        delivery.await.unwrap();
    }
}

async fn together(producer: Producer, orders: Vec<Order>, topic: Topic) {
    let named = |order| record(order);
    let closures = orders
        .iter()
        .map(|order| Record::to("t").key(&order.id).value(&order.body));
    producer.send_all(closures).await.unwrap();
    let by_handle = orders.iter().map(|o| Record::to(topic).value(&o.body));
    producer.send_all(by_handle).await.unwrap();
    producer.send_all(orders.iter().map(record)).await.unwrap();
    producer.send_all(orders.iter().map(named)).await.unwrap();
    let chained = orders.iter().filter(|order| !order.id.is_empty());
    let chained = chained
        .zip(0..)
        .map(|(order, n)| record(order).timestamp(n));
    producer.send_all(chained.chain([])).await.unwrap();
    let records: Vec<Record<'_>> = orders.iter().map(record).collect();
    producer.send_all(records.iter().cloned()).await.unwrap();
    producer.send_all(records[..1].to_vec()).await.unwrap();
    producer.send_all(records).await.unwrap();
    producer.send_all([record(&orders[0])]).await.unwrap();
    producer.send_all(Some(record(&orders[0]))).await.unwrap();
    for chunk in orders.chunks(2) {
        let deliveries = producer.send_all(chunk.iter().map(|o| record(o))).await;
        for delivery in deliveries.unwrap() {
            delivery.await.unwrap();
        }
    }
}

async fn around(producer: Producer, name: String, topic: Topic) {
    producer.partitions_for(&name).await.unwrap();
    producer.partitions_for(name.as_str()).await.unwrap();
    producer.partitions_for(topic).await.unwrap();
    producer
        .partitions_for(TopicRef::Name(&name))
        .await
        .unwrap();
    producer.flush().await;
    producer.close(Duration::from_secs(30)).await;
}

/// An executor's own `spawn`, which asks for all that it asks of users.
trait Executor {
    fn run(&self, task: impl Future<Output = ()> + Send + 'static);
}

#[cfg(feature = "tokio")]
impl Executor for tokio::runtime::Runtime {
    fn run(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.block_on(self.spawn(task)).unwrap();
    }
}

#[cfg(feature = "smol")]
impl Executor for smol::Executor<'static> {
    fn run(&self, task: impl Future<Output = ()> + Send + 'static) {
        smol::block_on(self.run(self.spawn(task)));
    }
}

fn every_call_goes_into_a_task(executor: &impl Executor, start: impl FnOnce(Setup) -> Producer) {
    let cluster = cluster(1);
    let producer = start(settings(&cluster).build().unwrap().into());
    let orders = || (0..3).map(Order::numbered).collect::<Vec<_>>();
    let topic = producer.topic("t").unwrap();
    executor.run(one_by_one(producer.clone(), orders(), topic));
    assert_eq!(log(&cluster, "t", 0).len(), 3 * 4);
    executor.run(together(producer.clone(), orders(), topic));
    assert_eq!(log(&cluster, "t", 0).len(), 3 * 4 + 8 * 3 + 3);
    executor.run(around(producer, "t".to_owned(), topic));
}

#[cfg(feature = "tokio")]
#[test]
fn every_call_goes_into_a_task_of_tokio() {
    within_a_minute(|| {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        every_call_goes_into_a_task(&runtime, |setup| {
            let _inside = runtime.enter();
            ottla::tokio::start(setup).unwrap()
        });
    });
}

#[cfg(feature = "smol")]
#[test]
fn every_call_goes_into_a_task_of_smol() {
    within_a_minute(|| {
        let executor = smol::Executor::new();
        every_call_goes_into_a_task(&executor, |setup| ottla::smol::start(setup).unwrap());
    });
}

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Writes each line of its input, "PARTITION TIMESTAMP KEY VALUE [NAME VALUE]..." with bytes as "=" and hexadecimal digits and
 * null as "-", to the servers args[0], the topic args[1], with the codec args[2].
 */
class Letters {
    public static void main(String[] args) throws Exception {
        Map<String, Object> settings = Map.of(
                "bootstrap.servers", args[0], "compression.type", args[2], "linger.ms", 20,
                "delivery.timeout.ms", 30000, "request.timeout.ms", 10000);
        var bytes = new ByteArraySerializer();
        var input = new BufferedReader(new InputStreamReader(System.in));
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        try (var producer = new KafkaProducer<byte[], byte[]>(settings, bytes, bytes)) {
            for (String line = input.readLine(); line != null; line = input.readLine()) {
                sent.add(producer.send(record(args[1], line.split(" "))));
            }
            for (var delivery : sent) {
                delivery.get();
            }
        }
    }

    private static ProducerRecord<byte[], byte[]> record(String topic, String[] words) {
        var record = new ProducerRecord<>(
                topic, Integer.valueOf(words[0]), Long.valueOf(words[1]), bytes(words[2]), bytes(words[3]));
        for (int i = 4; i < words.length; i += 2) {
            record.headers().add(new String(bytes(words[i]), java.nio.charset.StandardCharsets.UTF_8), bytes(words[i + 1]));
        }
        return record;
    }

    private static byte[] bytes(String word) {
        return word.equals("-") ? null : HexFormat.of().parseHex(word, 1, word.length());
    }
}

import java.io.BufferedInputStream;
import java.util.Arrays;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Sends each line "partition|headers|key|value" of its input to args[1], and prints how many were acknowledged. */
class Control {
    private static final byte[] NULL = {'N', 'U', 'L', 'L'};
    private static final byte[] NO_HEADERS = "NO_HEADERS".getBytes();

    public static void main(String[] args) throws java.io.IOException {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", args[0]);
        AtomicLong acknowledged = new AtomicLong();
        var bytes = new ByteArraySerializer();
        try (var producer = new KafkaProducer<byte[], byte[]>(settings, bytes, bytes)) {
            var input = new BufferedInputStream(System.in, 1 << 20);
            for (byte[] line = line(input); line != null; line = line(input)) {
                producer.send(record(args[1], line), (metadata, failure) -> {
                    if (failure != null) {
                        failure.printStackTrace();
                        Runtime.getRuntime().halt(1);
                    }
                    System.out.println(acknowledged.incrementAndGet());
                });
            }
        }
    }

    private static ProducerRecord<byte[], byte[]> record(String topic, byte[] line) {
        byte[][] parts = split(line, '|', 4);
        Integer partition = parts[0].length == 0 ? null : Integer.valueOf(new String(parts[0]));
        var record = new ProducerRecord<>(topic, partition, nullable(parts[2]), nullable(parts[3]));
        if (!Arrays.equals(parts[1], NO_HEADERS)) {
            for (byte[] header : split(parts[1], ';', Integer.MAX_VALUE)) {
                byte[][] pair = split(header, ':', 2);
                record.headers().add(new String(pair[0]), nullable(pair[1]));
            }
        }
        return record;
    }

    private static byte[] nullable(byte[] part) {
        return Arrays.equals(part, NULL) ? null : part;
    }

    private static byte[][] split(byte[] line, char separator, int limit) {
        var parts = new java.util.ArrayList<byte[]>();
        int start = 0;
        for (int end = 0; end < line.length && parts.size() < limit - 1; end++) {
            if (line[end] == separator) {
                parts.add(Arrays.copyOfRange(line, start, end));
                start = end + 1;
            }
        }
        parts.add(Arrays.copyOfRange(line, start, line.length));
        return parts.toArray(new byte[0][]);
    }

    private static byte[] line(BufferedInputStream input) throws java.io.IOException {
        var line = new java.io.ByteArrayOutputStream();
        for (int next = input.read(); next != '\n'; next = input.read()) {
            if (next < 0) {
                return null;
            }
            line.write(next);
        }
        return line.toByteArray();
    }
}

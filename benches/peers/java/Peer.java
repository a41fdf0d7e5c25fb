import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.apache.kafka.clients.producer.Callback;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * The work of ottla's benches, done by Java's client; see ../README.md.
 *
 * <pre>java Peer java throughput|latency --size N --values FILE --settings default|tuned --broker HOST:PORT
 *     [--compression TYPE] [--records N] [--rate N] [--seconds N]</pre>
 */
public final class Peer {
    private static final String TOPIC = "letters";
    private static final int BUFFER = 32 << 20;
    private static final int OUTSTANDING = 100_000;
    /** By then what matters has been compiled. */
    private static final int WARM_UP = 500_000;
    private static final long GRID = 100_000;

    private final KafkaProducer<byte[], byte[]> producer;
    private final byte[][] values;
    private final AtomicLong done = new AtomicLong();
    private final AtomicLong failed = new AtomicLong();
    private long sent;

    public static void main(String[] words) throws IOException {
        Map<String, String> options = new HashMap<>();
        for (int at = 2; at + 1 < words.length; at += 2) {
            options.put(words[at], words[at + 1]);
        }
        String name = words[0];
        String mode = words[1];
        String compression = options.getOrDefault("--compression", "none");
        String settings = options.getOrDefault("--settings", "default");
        int size = number(options, "--size", 100);
        int rate = number(options, "--rate", 5_000);
        int records = number(options, "--records", size < 500 ? 3_000_000 : 600_000);
        boolean isPaced = mode.equals("latency");
        if (isPaced) {
            records = rate * number(options, "--seconds", 10);
        }

        Map<String, Object> properties = properties(options.get("--broker"), settings, isPaced);
        properties.put("compression.type", compression);
        Peer peer = new Peer(properties, values(Path.of(options.get("--values")), size));
        peer.sendAll(WARM_UP);
        long[] times = new long[isPaced ? records : 0];
        long start = System.nanoTime();
        long cpu = cpuTime();
        if (isPaced) {
            peer.sendPaced(rate, times);
        } else {
            peer.sendAll(records);
        }
        cpu = cpuTime() - cpu;
        long wall = System.nanoTime() - start;
        peer.producer.close();

        String line = String.format(
            "{\"peer\":\"%s\",\"mode\":\"%s\",\"size\":%d,\"settings\":\"%s\",\"compression\":\"%s\","
                + "\"records\":%d,\"cpu_ns\":%d,\"wall_ns\":%d,\"rss_kb\":%s",
            name, mode, size, settings, compression, records, cpu, wall, peakRss());
        if (isPaced) {
            Arrays.sort(times);
            line += String.format(Locale.ROOT,
                ",\"rate\":%d,\"p50_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f",
                rate, part(times, 0.5), part(times, 0.99), part(times, 0.999));
        }
        System.out.println(line + "}");
    }

    private Peer(Map<String, Object> properties, byte[][] values) {
        this.producer = new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer());
        this.values = values;
    }

    private static Map<String, Object> properties(String broker, String settings, boolean isPaced) {
        boolean isTuned = settings.equals("tuned");
        Map<String, Object> properties = new HashMap<>();
        properties.put("bootstrap.servers", broker);
        properties.put("acks", "all");
        properties.put("enable.idempotence", true);
        properties.put("linger.ms", isPaced ? 0 : isTuned ? 10 : 5);
        properties.put("batch.size", isTuned ? 1 << 20 : 16 << 10);
        properties.put("buffer.memory", BUFFER);
        return properties;
    }

    /** Sends so many records, each with a callback, and waits for all of them. */
    private void sendAll(int records) {
        Callback callback = (metadata, error) -> settle(error);
        for (int n = 0; n < records; n++) {
            // Of a hundred thousand a small part is worked off in a millisecond: the producer never runs dry.
            while (sent - done.get() >= OUTSTANDING) {
                LockSupport.parkNanos(1_000_000);
            }
            send(n, callback);
        }
        settled();
    }

    /** The pace of ../src/pace.rs. */
    private void sendPaced(int rate, long[] times) {
        long start = System.nanoTime();
        long step = Math.max(GRID, 1_000_000_000L / rate);
        for (int next = 0; next < times.length; ) {
            long elapsed = System.nanoTime() - start;
            int due = (int) Math.min(elapsed * rate / 1_000_000_000L + 1, times.length);
            for (; next < due; next++) {
                int n = next;
                long begin = System.nanoTime();
                send(n, (metadata, error) -> {
                    times[n] = System.nanoTime() - begin;
                    settle(error);
                });
            }
            elapsed = System.nanoTime() - start;
            if (elapsed * rate / 1_000_000_000L + 1 <= next && next < times.length) {
                LockSupport.parkNanos((elapsed / step + 1) * step - elapsed);
            }
        }
        settled();
    }

    private void send(int n, Callback callback) {
        sent++;
        producer.send(new ProducerRecord<>(TOPIC, values[n % values.length]), callback);
    }

    private void settle(Exception error) {
        if (error != null) {
            failed.incrementAndGet();
        }
        done.incrementAndGet();
    }

    private void settled() {
        producer.flush();
        if (failed.get() > 0 || done.get() != sent) {
            System.err.printf("%d of %d records were not written%n", sent - done.get() + failed.get(), sent);
            System.exit(1);
        }
    }

    /** They are in the file one after the other. */
    private static byte[][] values(Path file, int size) throws IOException {
        byte[] all = Files.readAllBytes(file);
        byte[][] values = new byte[all.length / size][];
        for (int n = 0; n < values.length; n++) {
            values[n] = Arrays.copyOfRange(all, n * size, (n + 1) * size);
        }
        return values;
    }

    private static double part(long[] times, double part) {
        return times[(int) (times.length * part)] / 1e3;
    }

    private static long cpuTime() {
        return ((OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime();
    }

    private static String peakRss() throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
            if (line.startsWith("VmHWM:")) {
                return line.split("\\s+")[1];
            }
        }
        return "0";
    }

    private static int number(Map<String, String> options, String name, int usual) {
        return options.containsKey(name) ? Integer.parseInt(options.get(name)) : usual;
    }
}

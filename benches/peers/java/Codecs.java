import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Scanner;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.utils.BufferSupplier;
import org.apache.kafka.common.utils.ByteBufferOutputStream;

/**
 * The codecs of Java's client, as ../src/codecs.rs has those of others.
 *
 * <p>It answers the same lines, and {@code open CODEC LEVEL FROM TO}: with the bytes in FROM, if that is what TO holds when
 * it is opened.
 */
public final class Codecs {
    private static final byte MAGIC = 2;
    /** What is measured at once, in nanoseconds. */
    private static final long LEAST = 100_000_000;

    public static void main(String[] none) throws IOException {
        for (Scanner lines = new Scanner(System.in); lines.hasNextLine(); ) {
            System.out.println(answer(lines.nextLine().split(" ")));
        }
    }

    private static long answer(String[] words) throws IOException {
        Compression compression = compression(words[1], Integer.parseInt(words[2]));
        List<byte[]> pieces = pieces(Path.of(words[3]));
        if (words.length == 4) {
            return time(compression, pieces);
        }
        Path to = Path.of(words[4]);
        return words[0].equals("open") ? open(compression, to, pieces) : write(compression, pieces, to);
    }

    private static Compression compression(String codec, int level) {
        return switch (codec) {
            case "gzip" -> Compression.gzip().level(level).build();
            case "lz4" -> Compression.lz4().level(level).build();
            case "zstd" -> Compression.zstd().level(level).build();
            default -> Compression.of(codec).build();
        };
    }

    /** What it costs to compress the pieces once, with a buffer that is kept as the producer's pool keeps it. */
    private static long time(Compression compression, List<byte[]> pieces) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(2 << 20);
        // Of the thread: that of the process comes in steps of 10 ms.
        ThreadMXBean clock = ManagementFactory.getThreadMXBean();
        long start = clock.getCurrentThreadCpuTime();
        for (long times = 1; ; times++) {
            for (byte[] piece : pieces) {
                compress(compression, piece, buffer);
            }
            long cpu = clock.getCurrentThreadCpuTime() - start;
            if (cpu >= LEAST) {
                return cpu / times;
            }
        }
    }

    private static long write(Compression compression, List<byte[]> pieces, Path to) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(2 << 20);
        long bytes = 0;
        ByteArrayOutputStream file = new ByteArrayOutputStream();
        DataOutputStream out = new DataOutputStream(file);
        for (byte[] piece : pieces) {
            compress(compression, piece, buffer);
            out.writeInt(buffer.position());
            out.write(buffer.array(), 0, buffer.position());
            bytes += buffer.position();
        }
        Files.write(to, file.toByteArray());
        return bytes;
    }

    private static void compress(Compression compression, byte[] piece, ByteBuffer buffer) throws IOException {
        buffer.clear();
        try (OutputStream out = compression.wrapForOutput(new ByteBufferOutputStream(buffer), MAGIC)) {
            out.write(piece);
        }
    }

    private static long open(Compression compression, Path compressed, List<byte[]> pieces) throws IOException {
        long bytes = 0;
        int n = 0;
        for (byte[] piece : pieces(compressed)) {
            ByteBuffer buffer = ByteBuffer.wrap(piece);
            try (InputStream in = compression.wrapForInput(buffer, MAGIC, BufferSupplier.NO_CACHING)) {
                if (!Arrays.equals(in.readAllBytes(), pieces.get(n))) {
                    throw new IOException("a batch is not what it was before it was compressed");
                }
            }
            bytes += pieces.get(n++).length;
        }
        if (n < pieces.size()) {
            throw new EOFException("batches are missing");
        }
        return bytes;
    }

    /** Each has its length before it. */
    private static List<byte[]> pieces(Path file) throws IOException {
        List<byte[]> pieces = new ArrayList<>();
        try (DataInputStream in = new DataInputStream(Files.newInputStream(file))) {
            while (true) {
                pieces.add(in.readNBytes(in.readInt()));
            }
        } catch (EOFException end) {
            return pieces;
        }
    }
}

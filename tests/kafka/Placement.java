import java.util.Arrays;
import org.apache.kafka.clients.producer.internals.BuiltInPartitioner;

/** Reads one key a line and prints the partition, out of args[0], where the Java producer puts it. */
class Placement {
    public static void main(String[] args) throws java.io.IOException {
        int partitions = Integer.parseInt(args[0]);
        byte[] input = System.in.readAllBytes();
        int start = 0;
        for (int end = 0; end < input.length; end++) {
            if (input[end] == '\n') {
                byte[] key = Arrays.copyOfRange(input, start, end);
                System.out.println(BuiltInPartitioner.partitionForKey(key, partitions));
                start = end + 1;
            }
        }
    }
}

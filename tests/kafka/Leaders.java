import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewPartitionReassignment;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.TopicPartition;

/**
 * For each line "topic partition node..." of its input, puts the partition on these nodes, makes the first of them its leader,
 * and prints "moved" or what stood in the way; args[0] names the servers.
 */
class Leaders {
    public static void main(String[] args) throws Exception {
        Map<String, Object> settings = Map.of(
                "bootstrap.servers", args[0], "request.timeout.ms", 2000, "default.api.timeout.ms", 4000,
                "reconnect.backoff.max.ms", 100);
        var input = new BufferedReader(new InputStreamReader(System.in));
        try (Admin admin = Admin.create(settings)) {
            for (String line = input.readLine(); line != null; line = input.readLine()) {
                System.out.println(move(admin, line.split(" ")));
            }
        }
    }

    private static String move(Admin admin, String[] words) throws InterruptedException {
        var partition = new TopicPartition(words[0], Integer.parseInt(words[1]));
        List<Integer> nodes = new ArrayList<>();
        for (int i = 2; i < words.length; i++) {
            nodes.add(Integer.valueOf(words[i]));
        }
        try {
            var order = Optional.of(new NewPartitionReassignment(nodes));
            admin.alterPartitionReassignments(Map.of(partition, order)).all().get();
            admin.electLeaders(ElectionType.PREFERRED, Set.of(partition)).all().get();
            return "moved";
        } catch (ExecutionException failed) {
            return failed.getCause().toString().replace('\n', ' ');
        }
    }
}

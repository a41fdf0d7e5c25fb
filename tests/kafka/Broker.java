/** Runs one Kafka node for as long as standard input stays open, so that no node outlives its test. */
class Broker {
    public static void main(String[] args) {
        Thread leash = new Thread(() -> {
            try {
                while (System.in.read() >= 0) {
                }
            } catch (java.io.IOException broken) {
                // As good as closed.
            }
            Runtime.getRuntime().halt(1);
        });
        leash.setDaemon(true);
        leash.start();
        kafka.Kafka.main(args);
    }
}

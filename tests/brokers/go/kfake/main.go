// Kfake serves franz-go's fake cluster on 127.0.0.1, prints its addresses, and then does what each line of its input says.
//
// Usage: kfake BROKERS. It ends with its input.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kfake"
)

func main() {
	if err := serve(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("usage: kfake BROKERS")
	}
	brokers, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	cluster, err := kfake.NewCluster(kfake.NumBrokers(brokers))
	if err != nil {
		return err
	}
	defer cluster.Close()
	fmt.Println(strings.Join(cluster.ListenAddrs(), ","))
	control := newControl(cluster)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		command, rest, _ := strings.Cut(lines.Text(), " ")
		if answer, err := control.do(command, rest); err != nil {
			fmt.Println("error", lines.Text()+":", err)
		} else {
			fmt.Println("ok", answer)
		}
	}
	return lines.Err()
}

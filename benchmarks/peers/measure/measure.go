// Package measure is what both programs share: it reads a world and payloads from files, and counts them as often as
// its caller asks, each time with the CPU time that the whole process has used for it.
package measure

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"syscall"
)

// World is the inventory of a VPC.
type World struct {
	Subnets    []Subnet    `json:"subnets"`
	Interfaces []Interface `json:"interfaces"`
}

// Subnet is a subnet with its networks.
type Subnet struct {
	ID    string   `json:"id"`
	VPC   string   `json:"vpc"`
	Zone  string   `json:"zone"`
	CIDRs []string `json:"cidrs"`
}

// Interface is a network interface with its addresses.
type Interface struct {
	ID        string   `json:"id"`
	Subnet    string   `json:"subnet"`
	Addresses []string `json:"addresses"`
}

// Counter counts payloads. Count starts anew with each call, and Totals returns what the last call has counted.
type Counter interface {
	Count(payloads [][]byte) error
	Totals() any
}

// Serve answers each line on stdin with a line of JSON on stdout: `count` counts all payloads and returns the CPU time in
// microseconds, `totals` returns what was counted. Arguments are the files of the world and of the payloads.
func Serve(make func(World, int) (Counter, error)) {
	log.SetFlags(0)
	if len(os.Args) != 3 {
		log.Fatalf("Usage: %s WORLD PAYLOADS", os.Args[0])
	}
	world, payloads, err := read(os.Args[1], os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	counter, err := make(world, len(payloads))
	if err != nil {
		log.Fatal(err)
	}
	answers := json.NewEncoder(os.Stdout)
	questions := bufio.NewScanner(os.Stdin)
	for questions.Scan() {
		answer, err := ask(counter, payloads, questions.Text())
		if err == nil {
			err = answers.Encode(answer)
		}
		if err != nil {
			log.Fatal(err)
		}
	}
	if err := questions.Err(); err != nil {
		log.Fatal(err)
	}
}

func ask(counter Counter, payloads [][]byte, question string) (any, error) {
	switch question {
	case "count":
		before, err := cpuTime()
		if err != nil {
			return nil, err
		}
		if err := counter.Count(payloads); err != nil {
			return nil, err
		}
		after, err := cpuTime()
		return after - before, err
	case "totals":
		return counter.Totals(), nil
	}
	return nil, fmt.Errorf("unknown question %q", question)
}

// cpuTime returns the CPU time of all threads, garbage collection included, in microseconds.
func cpuTime() (int64, error) {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0, err
	}
	return (usage.Utime.Nano() + usage.Stime.Nano()) / 1000, nil
}

func read(worldFile, payloadsFile string) (world World, payloads [][]byte, err error) {
	text, err := os.ReadFile(worldFile)
	if err != nil {
		return world, nil, err
	}
	if err := json.Unmarshal(text, &world); err != nil {
		return world, nil, err
	}
	data, err := os.ReadFile(payloadsFile)
	if err != nil {
		return world, nil, err
	}
	// Each payload stands behind its length.
	for len(data) >= 4 {
		size := int(binary.BigEndian.Uint32(data))
		if len(data) < 4+size {
			return world, nil, fmt.Errorf("%s ends within a payload", payloadsFile)
		}
		payloads = append(payloads, data[4:4+size])
		data = data[4+size:]
	}
	return world, payloads, nil
}

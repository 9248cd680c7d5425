// Command ancestor counts flow logs as an exporter of 2016 would: encoding/json, strings.Fields, net.ParseIP, and a search
// through all subnets for each end of a record. Whatever subnet holds the source has sent, and whatever subnet holds the
// destination has received. It shares no code with any such exporter.
package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"

	"kcl-flowlog/benchmarks/peers/measure"
)

type envelope struct {
	MessageType string     `json:"messageType"`
	Owner       string     `json:"owner"`
	LogGroup    string     `json:"logGroup"`
	LogStream   string     `json:"logStream"`
	LogEvents   []logEvent `json:"logEvents"`
}

type logEvent struct {
	ID        string `json:"id"`
	Timestamp int64  `json:"timestamp"`
	Message   string `json:"message"`
}

type record struct {
	source, destination net.IP
	packets, octets     float64
	action, status      string
}

type subnet struct {
	id      string
	network *net.IPNet
}

// counters are the series of a metric by the values of their labels.
type counters struct {
	mutex  sync.Mutex
	values map[string]float64
}

func (c *counters) add(value float64, labels ...string) {
	key := strings.Join(labels, "\xff")
	c.mutex.Lock()
	c.values[key] += value
	c.mutex.Unlock()
}

type exporter struct {
	subnets []subnet
	metrics map[string]*counters
}

func newExporter(world measure.World, _ int) (measure.Counter, error) {
	e := &exporter{}
	for _, each := range world.Subnets {
		for _, cidr := range each.CIDRs {
			_, network, err := net.ParseCIDR(cidr)
			if err != nil {
				return nil, err
			}
			e.subnets = append(e.subnets, subnet{each.ID, network})
		}
	}
	return e, nil
}

func (e *exporter) Count(payloads [][]byte) error {
	e.metrics = map[string]*counters{}
	for _, name := range []string{
		"events", "packets_sent", "packets_received", "bytes_sent", "bytes_received", "accepted", "denied",
	} {
		e.metrics[name] = &counters{values: map[string]float64{}}
	}
	for _, payload := range payloads {
		if err := e.countPayload(payload); err != nil {
			return err
		}
	}
	return nil
}

func (e *exporter) Totals() any {
	totals := map[string]map[string]float64{}
	for name, metric := range e.metrics {
		totals[name] = metric.values
	}
	return totals
}

func (e *exporter) countPayload(payload []byte) error {
	reader, err := gzip.NewReader(bytes.NewReader(payload))
	if err != nil {
		return err
	}
	text, err := io.ReadAll(reader)
	if err != nil {
		return err
	}
	var content envelope
	if err := json.Unmarshal(text, &content); err != nil {
		return err
	}
	for _, event := range content.LogEvents {
		parsed, err := parse(event.Message)
		if err != nil {
			return err
		}
		e.metrics["events"].add(1, parsed.status)
		if parsed.status == "OK" {
			e.countRecord(parsed)
		}
	}
	return nil
}

func parse(line string) (parsed record, err error) {
	fields := strings.Fields(line)
	if len(fields) != 14 {
		return parsed, fmt.Errorf("the line has %d fields: %s", len(fields), line)
	}
	parsed.status = fields[13]
	if parsed.status != "OK" {
		return parsed, nil
	}
	parsed.action = fields[12]
	parsed.source, parsed.destination = net.ParseIP(fields[3]), net.ParseIP(fields[4])
	if parsed.source == nil || parsed.destination == nil {
		return parsed, fmt.Errorf("an address is invalid: %s", line)
	}
	if parsed.packets, err = strconv.ParseFloat(fields[8], 64); err != nil {
		return parsed, err
	}
	parsed.octets, err = strconv.ParseFloat(fields[9], 64)
	return parsed, err
}

func (e *exporter) countRecord(counted record) {
	if id, found := e.find(counted.source); found {
		e.metrics["packets_sent"].add(counted.packets, id)
		e.metrics["bytes_sent"].add(counted.octets, id)
	}
	id, found := e.find(counted.destination)
	if !found {
		return
	}
	e.metrics["packets_received"].add(counted.packets, id)
	e.metrics["bytes_received"].add(counted.octets, id)
	if counted.action == "ACCEPT" {
		e.metrics["accepted"].add(1, id)
	} else {
		e.metrics["denied"].add(1, id)
	}
}

func (e *exporter) find(address net.IP) (string, bool) {
	for _, each := range e.subnets {
		if each.network.Contains(address) {
			return each.id, true
		}
	}
	return "", false
}

func main() {
	measure.Serve(newExporter)
}

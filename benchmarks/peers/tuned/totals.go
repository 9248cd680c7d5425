package main

import "strings"

const (
	accept uint8 = iota
	reject
)

var actions = [...]string{"accept", "reject"}
var protocols = [...]string{"other", "icmp", "tcp", "udp", "gre", "esp", "icmpv6"}
var protocolOf = [256]uint8{1: 1, 6: 2, 17: 3, 47: 4, 50: 5, 58: 6}
var watchedPorts = map[string]struct{}{"22": {}, "443": {}, "3389": {}}

// series is a series of traffic; as a number, it is a fast key.
type series struct {
	place
	action, protocol uint8
}

func (s series) key() uint64 {
	return uint64(s.subnet)<<32 | uint64(s.direction)<<24 | uint64(s.action)<<16 | uint64(s.protocol)<<8 | uint64(s.peer)
}

type sums struct {
	series                 series
	flows, packets, octets uint64
}

type rejectedPort struct {
	subnet              int32
	direction, protocol uint8
	port                string
}

// row is a series with its labels, as it would be committed.
type row struct {
	Labels [5]string `json:"labels"`
	Sums   [3]uint64 `json:"sums"`
}

type portRow struct {
	Labels [4]string `json:"labels"`
	Flows  uint64    `json:"flows"`
}

type totals struct {
	places          map[uint64]int32
	sums            []sums
	ports           map[rejectedPort]uint64
	delays          [len(delayBounds) + 1]uint64
	counted, noData uint64
	traffic         []row
	rejected        []portRow
}

func newTotals() *totals {
	return &totals{places: map[uint64]int32{}, ports: map[rejectedPort]uint64{}}
}

func (t *totals) add(where place, found *flow) {
	t.counted++
	series := series{where, found.action, found.protocol}
	key := series.key()
	number, isKnown := t.places[key]
	if !isKnown {
		number = int32(len(t.sums))
		t.places[key] = number
		t.sums = append(t.sums, sums{series: series})
	}
	cell := &t.sums[number]
	cell.flows++
	cell.packets += found.packets
	cell.octets += found.octets
	if found.action == reject {
		port := "other"
		if _, isWatched := watchedPorts[found.port]; isWatched {
			port = strings.Clone(found.port)
		}
		t.ports[rejectedPort{where.subnet, where.direction, found.protocol, port}]++
	}
	if found.end != 0 {
		t.delays[bucketOf(max(0, now-int64(found.end)))]++
	}
}

func bucketOf(delay int64) int {
	for number, bound := range delayBounds {
		if delay <= bound {
			return number
		}
	}
	return len(delayBounds)
}

// finish makes the rows of a commit.
func (t *totals) finish(world *attribution) {
	t.traffic = make([]row, 0, len(t.sums))
	for _, each := range t.sums {
		s := each.series
		labels := [5]string{
			world.subnets[s.subnet].ID, directions[s.direction], actions[s.action], protocols[s.protocol], peers[s.peer],
		}
		t.traffic = append(t.traffic, row{labels, [3]uint64{each.flows, each.packets, each.octets}})
	}
	t.rejected = make([]portRow, 0, len(t.ports))
	for each, flows := range t.ports {
		labels := [4]string{
			world.subnets[each.subnet].ID, directions[each.direction], protocols[each.protocol], each.port,
		}
		t.rejected = append(t.rejected, portRow{labels, flows})
	}
}

func (t *totals) report() any {
	return map[string]any{
		"traffic":        t.traffic,
		"rejected_ports": t.rejected,
		"delays":         t.delays,
		"events":         map[string]uint64{"counted": t.counted, "nodata": t.noData},
	}
}

// Command tuned counts flow logs as fast as Go allows with well-kept libraries: klauspost's gzip, sonic, net/netip and
// bart. It attributes each record as the product does, so that its totals must equal the product's, but it knows only the
// default format, and takes each envelope as a whole: an invalid line is an error.
package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"unsafe"

	"github.com/bytedance/sonic"
	"github.com/klauspost/compress/gzip"

	"kcl-flowlog/benchmarks/peers/measure"
)

// now is when all payloads arrive, in Unix seconds.
const now = 1_700_000_700

var delayBounds = [...]int64{30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 86400}

type envelope struct {
	MessageType string     `json:"messageType"`
	LogStream   string     `json:"logStream"`
	LogEvents   []logEvent `json:"logEvents"`
}

type logEvent struct {
	ID        string `json:"id"`
	Timestamp int64  `json:"timestamp"`
	Message   string `json:"message"`
}

// identity tells payloads apart: the checksum and the size of their content, their log stream, their first and last id.
type identity struct {
	trailer                uint64
	logStream, first, last string
}

type counter struct {
	attribution *attribution
	totals      *totals
	// The last payloads, so that a second delivery is recognised; each leaves when its place in the ring is needed.
	seen     map[identity]struct{}
	ring     []identity
	place    int
	source   bytes.Reader
	inflater gzip.Reader
	text     []byte
	content  envelope
}

func newCounter(world measure.World, payloads int) (measure.Counter, error) {
	made, err := newAttribution(world)
	if err != nil {
		return nil, err
	}
	size := max(1, payloads/2)
	return &counter{attribution: made, seen: make(map[identity]struct{}, size), ring: make([]identity, size)}, nil
}

func (c *counter) Count(payloads [][]byte) error {
	c.totals = newTotals()
	for _, payload := range payloads {
		if err := c.countPayload(payload); err != nil {
			return err
		}
	}
	c.totals.finish(c.attribution)
	return nil
}

func (c *counter) Totals() any {
	return c.totals.report()
}

func (c *counter) countPayload(payload []byte) error {
	if err := c.inflate(payload); err != nil {
		return err
	}
	c.content.LogEvents = c.content.LogEvents[:0]
	// Without a copy: all strings of the content point into c.text.
	text := unsafe.String(unsafe.SliceData(c.text), len(c.text))
	if err := sonic.ConfigDefault.UnmarshalFromString(text, &c.content); err != nil {
		return err
	}
	if c.content.MessageType != "DATA_MESSAGE" || len(c.content.LogEvents) == 0 || c.isDuplicate(payload) {
		return nil
	}
	for number := range c.content.LogEvents {
		if err := c.countLine(c.content.LogEvents[number].Message); err != nil {
			return err
		}
	}
	return nil
}

// inflate unpacks a payload into c.text, which is used again.
func (c *counter) inflate(payload []byte) error {
	c.source.Reset(payload)
	if err := c.inflater.Reset(&c.source); err != nil {
		return err
	}
	if len(payload) < 18 {
		return io.ErrUnexpectedEOF
	}
	size := int(binary.LittleEndian.Uint32(payload[len(payload)-4:]))
	if cap(c.text) < size {
		c.text = make([]byte, size)
	}
	c.text = c.text[:size]
	if _, err := io.ReadFull(&c.inflater, c.text); err != nil {
		return err
	}
	// Only now the checksum is verified.
	if _, err := c.inflater.Read(make([]byte, 1)); err != io.EOF {
		return fmt.Errorf("the size in the trailer is wrong, or the checksum: %w", err)
	}
	return nil
}

func (c *counter) isDuplicate(payload []byte) bool {
	events := c.content.LogEvents
	found := identity{
		binary.LittleEndian.Uint64(payload[len(payload)-8:]), c.content.LogStream, events[0].ID, events[len(events)-1].ID,
	}
	if _, known := c.seen[found]; known {
		return true
	}
	// The next payload overwrites the text that these point into.
	for _, text := range [...]*string{&found.logStream, &found.first, &found.last} {
		*text = strings.Clone(*text)
	}
	delete(c.seen, c.ring[c.place])
	c.ring[c.place] = found
	c.place = (c.place + 1) % len(c.ring)
	c.seen[found] = struct{}{}
	return false
}

func (c *counter) countLine(line string) error {
	var fields [14]string
	if !split(line, &fields) || fields[0] != "2" {
		return fmt.Errorf("the line is not in the default format: %s", line)
	}
	switch fields[13] {
	case "OK":
	case "NODATA":
		c.totals.noData++
		return nil
	default:
		return fmt.Errorf("unknown status: %s", line)
	}
	found, err := parse(&fields)
	if err != nil {
		return fmt.Errorf("%w: %s", err, line)
	}
	where, err := c.attribution.locate(&fields)
	if err != nil {
		return fmt.Errorf("%w: %s", err, line)
	}
	c.totals.add(where, &found)
	return nil
}

func main() {
	measure.Serve(newCounter)
}

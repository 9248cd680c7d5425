package main

import "errors"

var errNumber = errors.New("a number is invalid")
var errWord = errors.New("a word is unknown")

// flow is what a line says of a flow, without its ends.
type flow struct {
	packets, octets, start, end uint64
	protocol, action            uint8
	port                        string
}

// split cuts a line at its spaces into exactly 14 fields that are not empty.
func split(line string, fields *[14]string) bool {
	count, begin := 0, 0
	for place := 0; place < len(line); place++ {
		if line[place] != ' ' {
			continue
		}
		if count == 13 || place == begin {
			return false
		}
		fields[count] = line[begin:place]
		count++
		begin = place + 1
	}
	fields[13] = line[begin:]
	return count == 13 && begin < len(line)
}

func parse(fields *[14]string) (found flow, err error) {
	number, isValid := parseNumber(fields[7])
	if !isValid || number > 255 {
		return found, errNumber
	}
	found.protocol = protocolOf[number]
	if _, isValid = parseNumber(fields[5]); !isValid {
		return found, errNumber
	}
	if _, isValid = parseNumber(fields[6]); !isValid {
		return found, errNumber
	}
	found.port = fields[6]
	for place, target := range [...]*uint64{&found.packets, &found.octets, &found.start, &found.end} {
		if *target, isValid = parseNumber(fields[8+place]); !isValid {
			return found, errNumber
		}
	}
	switch fields[12] {
	case "ACCEPT":
		found.action = accept
	case "REJECT":
		found.action = reject
	default:
		return found, errWord
	}
	return found, nil
}

func parseNumber(text string) (uint64, bool) {
	if len(text) == 0 || len(text) > 15 {
		return 0, false
	}
	var number uint64
	for place := 0; place < len(text); place++ {
		digit := text[place] - '0'
		if digit > 9 {
			return 0, false
		}
		number = number*10 + uint64(digit)
	}
	return number, true
}

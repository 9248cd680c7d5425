package main

import (
	"errors"
	"net/netip"
	"slices"
	"strings"

	"github.com/gaissmai/bart"

	"kcl-flowlog/benchmarks/peers/measure"
)

const (
	egress uint8 = iota
	ingress
	unknownDirection
)

const (
	sameSubnet uint8 = iota
	sameZone
	crossZone
	private
	internet
	unknownPeer
)

var directions = [...]string{"egress", "ingress", "unknown"}
var peers = [...]string{"same_subnet", "same_zone", "cross_zone", "private", "internet", "unknown"}

// special holds the blocks in which no address is public.
var special = map[uint8][]string{
	private: {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "fc00::/7", "fe80::/10"},
	unknownPeer: {
		"0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/4", "240.0.0.0/4", "::/127", "ff00::/8",
	},
}

var errInterface = errors.New("the interface is unknown")

// place is where a record is counted.
type place struct {
	subnet          int32
	direction, peer uint8
}

type networkInterface struct {
	subnet    int32
	addresses []netip.Addr
}

// attribution finds the place of a record: the subnet of the interface that has recorded it, the direction by its
// addresses, the class of the peer by the subnets and zones of the VPC.
type attribution struct {
	subnets    []measure.Subnet
	interfaces map[string]*networkInterface
	vpcs       map[string]*bart.Table[int32]
	special    bart.Table[uint8]
	// Of the line before: an envelope holds the lines of a single interface.
	lastID string
	last   *networkInterface
}

func newAttribution(world measure.World) (*attribution, error) {
	a := &attribution{
		subnets: world.Subnets, interfaces: map[string]*networkInterface{}, vpcs: map[string]*bart.Table[int32]{},
	}
	numbers := map[string]int32{}
	for number, each := range world.Subnets {
		numbers[each.ID] = int32(number)
		if a.vpcs[each.VPC] == nil {
			a.vpcs[each.VPC] = &bart.Table[int32]{}
		}
		for _, cidr := range each.CIDRs {
			network, err := netip.ParsePrefix(cidr)
			if err != nil {
				return nil, err
			}
			a.vpcs[each.VPC].Insert(network, int32(number))
		}
	}
	for class, blocks := range special {
		for _, block := range blocks {
			a.special.Insert(netip.MustParsePrefix(block), class)
		}
	}
	for _, each := range world.Interfaces {
		made := &networkInterface{subnet: numbers[each.Subnet]}
		for _, text := range each.Addresses {
			address, err := netip.ParseAddr(text)
			if err != nil {
				return nil, err
			}
			made.addresses = append(made.addresses, address)
		}
		a.interfaces[each.ID] = made
	}
	return a, nil
}

func (a *attribution) locate(fields *[14]string) (place, error) {
	recorder := a.last
	if fields[2] != a.lastID {
		recorder = a.interfaces[fields[2]]
		if recorder == nil {
			return place{}, errInterface
		}
		// The next payload overwrites the text that the field points into.
		a.lastID, a.last = strings.Clone(fields[2]), recorder
	}
	source, err := netip.ParseAddr(fields[3])
	if err != nil {
		return place{}, err
	}
	destination, err := netip.ParseAddr(fields[4])
	if err != nil {
		return place{}, err
	}
	isEgress, isIngress := slices.Contains(recorder.addresses, source), slices.Contains(recorder.addresses, destination)
	switch {
	case isEgress == isIngress:
		return place{recorder.subnet, unknownDirection, a.peerOfEither(recorder.subnet, source, destination)}, nil
	case isEgress:
		return place{recorder.subnet, egress, a.peerOf(recorder.subnet, destination)}, nil
	}
	return place{recorder.subnet, ingress, a.peerOf(recorder.subnet, source)}, nil
}

// peerOfEither returns the class of a peer that may be either end: it is certain only if both are in the subnet.
func (a *attribution) peerOfEither(subnet int32, source, destination netip.Addr) uint8 {
	if a.peerOf(subnet, source) == sameSubnet && a.peerOf(subnet, destination) == sameSubnet {
		return sameSubnet
	}
	return unknownPeer
}

func (a *attribution) peerOf(subnet int32, address netip.Addr) uint8 {
	own := &a.subnets[subnet]
	found, isFound := a.vpcs[own.VPC].Lookup(address)
	if !isFound {
		class, isSpecial := a.special.Lookup(address)
		if isSpecial {
			return class
		}
		return internet
	}
	switch {
	case found == subnet:
		return sameSubnet
	case a.subnets[found].Zone == own.Zone:
		return sameZone
	}
	return crossZone
}

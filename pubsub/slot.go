package pubsub

import "strings"

// numSlots is how many slots every Redis Cluster has.
const numSlots = 16384

// crcTable is that of CRC-16/XMODEM, polynomial 0x1021, by the upper byte.
var crcTable = func() (table [256]uint16) {
	for i := range table {
		crc := uint16(i) << 8
		for range 8 {
			carry := crc&0x8000 != 0
			if crc <<= 1; carry {
				crc ^= 0x1021
			}
		}
		table[i] = crc
	}
	return table
}()

// slotOf returns the slot of a key or a sharded channel, from 0 to numSlots-1:
// that of what stands between the first { and the next } if there is anything,
// else of the whole. See the Redis Cluster specification, "Hash tags".
func slotOf(key string) int {
	if _, rest, ok := strings.Cut(key, "{"); ok {
		if tag, _, ok := strings.Cut(rest, "}"); ok && tag != "" {
			key = tag
		}
	}
	var crc uint16
	for i := range len(key) {
		crc = crc<<8 ^ crcTable[byte(crc>>8)^key[i]]
	}
	return int(crc % numSlots)
}

package extauthz

import (
	"google.golang.org/protobuf/encoding/protowire"
)

type number = protowire.Number

// each calls f with every value at a path of field numbers, all of which are messages, strings or bytes.
func each(message []byte, path []number, f func(value []byte) error) error {
	for len(message) > 0 {
		field, kind, size := protowire.ConsumeTag(message)
		if size < 0 {
			return callErrorf(codeInvalidArgument, "malformed message: %v", protowire.ParseError(size))
		}
		message = message[size:]
		if field != path[0] {
			if size = protowire.ConsumeFieldValue(field, kind, message); size < 0 {
				return callErrorf(codeInvalidArgument, "malformed field %d: %v", field, protowire.ParseError(size))
			}
			message = message[size:]
			continue
		}
		if kind != protowire.BytesType {
			return callErrorf(codeInvalidArgument, "field %d has another type", field)
		}
		value, size := protowire.ConsumeBytes(message)
		if size < 0 {
			return callErrorf(codeInvalidArgument, "malformed field %d: %v", field, protowire.ParseError(size))
		}
		message = message[size:]
		var err error
		if len(path) == 1 {
			err = f(value)
		} else {
			err = each(value, path[1:], f)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func appendInt(message []byte, field number, value uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(message, field, protowire.VarintType), value)
}

func appendBytes[T string | []byte](message []byte, field number, value T) []byte {
	return append(protowire.AppendVarint(protowire.AppendTag(message, field, protowire.BytesType), uint64(len(value))), value...)
}

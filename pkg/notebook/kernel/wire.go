package kernel

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-zeromq/zmq4"
)

// The wire protocol of Jupyter's messages, version 5.3: frames
//
//	identities..., "<IDS|MSG>", hex HMAC-SHA256, header, parent header, metadata, content
//
// https://jupyter-client.readthedocs.io/en/latest/messaging.html#the-wire-protocol
const protocolVersion = "5.3"

var delimiter = []byte("<IDS|MSG>")

// header identifies a message.
type header struct {
	ID       string `json:"msg_id"`
	Session  string `json:"session"`
	Username string `json:"username"`
	Date     string `json:"date"`
	Type     string `json:"msg_type"`
	Version  string `json:"version"`
}

// message is a message of the Jupyter protocol; Content is still JSON.
type message struct {
	Header  header
	Parent  header
	Content json.RawMessage
}

// decode reads the content into a struct, numbers as they were written.
func (m *message) decode(into any) error {
	decoder := json.NewDecoder(bytes.NewReader(m.Content))
	decoder.UseNumber()
	return decoder.Decode(into)
}

// newMessage makes a request.
func newMessage(session, kind string, content any) (*message, error) {
	data, err := json.Marshal(content)
	if err != nil {
		return nil, err
	}
	return &message{
		Header: header{
			ID:       randomID(),
			Session:  session,
			Username: "attune",
			Date:     time.Now().UTC().Format(time.RFC3339Nano),
			Type:     kind,
			Version:  protocolVersion,
		},
		Content: data,
	}, nil
}

// frames signs a message for the wire.
func (m *message) frames(key []byte) (zmq4.Msg, error) {
	head, err := json.Marshal(m.Header)
	if err != nil {
		return zmq4.Msg{}, err
	}
	parts := [][]byte{head, []byte("{}"), []byte("{}"), m.Content}
	return zmq4.NewMsgFrom(append([][]byte{delimiter, sign(key, parts)}, parts...)...), nil
}

// parseFrames checks the signature of a message from the wire and reads its headers.
func parseFrames(frames [][]byte, key []byte) (*message, error) {
	for len(frames) > 0 && !bytes.Equal(frames[0], delimiter) {
		frames = frames[1:] // identities, or the topic on IOPub
	}
	if len(frames) < 6 {
		return nil, fmt.Errorf("a message with %d frames behind the delimiter, expected at least 6", len(frames))
	}
	signature, parts := frames[1], frames[2:6]
	if !hmac.Equal(signature, sign(key, parts)) {
		return nil, errors.New("a message whose signature does not match the connection's key")
	}
	m := &message{Content: parts[3]}
	if err := json.Unmarshal(parts[0], &m.Header); err != nil {
		return nil, fmt.Errorf("a message whose header is not JSON: %w", err)
	}
	if err := json.Unmarshal(parts[1], &m.Parent); err != nil {
		return nil, fmt.Errorf("a message whose parent header is not JSON: %w", err)
	}
	return m, nil
}

func sign(key []byte, parts [][]byte) []byte {
	mac := hmac.New(sha256.New, key)
	for _, part := range parts {
		mac.Write(part)
	}
	return []byte(hex.EncodeToString(mac.Sum(nil)))
}

// randomID is a random UUID's worth of hexadecimal digits. GoNB reads its id out of the connection file's name, where it
// allows hexadecimal digits and dashes.
func randomID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

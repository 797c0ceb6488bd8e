package kernel

import "testing"

func TestMessagesAreSigned(t *testing.T) {
	msg, err := newMessage("session", "execute_request", map[string]any{"code": "x"})
	if err != nil {
		t.Fatal(err)
	}
	wire, err := msg.frames([]byte("key"))
	if err != nil {
		t.Fatal(err)
	}
	frames := append([][]byte{[]byte("identity")}, wire.Frames...)
	back, err := parseFrames(frames, []byte("key"))
	if err != nil || back.Header != msg.Header || string(back.Content) != string(msg.Content) {
		t.Errorf("came back as %+v, %v", back, err)
	}
	if _, err := parseFrames(frames, []byte("other")); err == nil {
		t.Error("a message signed with another key was accepted")
	}
	frames[len(frames)-1] = []byte(`{"code": "y"}`)
	if _, err := parseFrames(frames, []byte("key")); err == nil {
		t.Error("a forged message was accepted")
	}
	if _, err := parseFrames(frames[:4], []byte("key")); err == nil {
		t.Error("a short message was accepted")
	}
}

package generate

import (
	"fmt"
	"strings"
)

// Solvers of the graded domains about people and kinds.

const womenList = " Ana Eva Ida Lena Mia Nora Rosa Sara "

func solveOtherSide(question, option string, _ []string) (bool, string, error) {
	m, err := match(`^(?:\w+ is a friend of \w+\. )?(\w+) is the (\w+) of (\w+)\.(?: \w+ is a friend of \w+\.)? What is (\w+) to (\w+)\?$`, question)
	if err != nil {
		return false, "", err
	}
	if m[0] != m[4] || m[2] != m[3] {
		return false, "", fmt.Errorf("the people do not connect in %q", question)
	}
	sides := map[string][2]string{"mother": {"son", "daughter"}, "father": {"son", "daughter"}, "son": {"father", "mother"}, "daughter": {"father", "mother"}, "sister": {"brother", "sister"}, "brother": {"brother", "sister"}}
	side := sides[m[1]]
	right, sex := side[0], m[2]+" is a man"
	if strings.Contains(womenList, " "+m[2]+" ") {
		right, sex = side[1], m[2]+" is a woman"
	}
	other := "the other side of " + m[1] + " is " + side[0] + " or " + side[1]
	switch option {
	case right:
		return true, other + " and " + sex, nil
	case side[0], side[1]:
		return false, sex, nil
	}
	return false, other, nil
}

func solveGreat(question, option string, _ []string) (bool, string, error) {
	m, err := match(`^(\w+) is the (\w+) of (\w+)\. (\w+) is the (mother|father) of (\w+)\. (\w+) is the (mother|father) of (\w+)\. What is (\w+) to (\w+)\?$`, question)
	if err != nil {
		return false, "", err
	}
	if m[2] != m[3] || m[5] != m[6] || m[0] != m[9] || m[8] != m[10] {
		return false, "", fmt.Errorf("the people do not connect in %q", question)
	}
	for _, parent := range [][2]string{{m[3], m[4]}, {m[6], m[7]}} {
		if strings.Contains(womenList, " "+parent[0]+" ") != (parent[1] == "mother") {
			return false, "", fmt.Errorf("%s is called a %s", parent[0], parent[1])
		}
	}
	ofParent := map[string]string{"grandmother": "mother", "grandfather": "father", "aunt": "sister", "uncle": "brother"}
	short, great := strings.CutPrefix(option, "great-")
	of := ofParent[short]
	switch {
	case of == "":
		return false, "", fmt.Errorf("%q is not a known relation", option)
	case great && of == m[1]:
		return true, "the " + of + " of a grandparent is a " + option, nil
	case great:
		return false, "a " + option + " is the " + of + " of a grandparent", nil
	case strings.ContainsAny(option[:1], "aeiou"):
		return false, "an " + option + " is the " + of + " of a parent", nil
	}
	return false, "a " + option + " is the " + of + " of a parent", nil
}

// felt finds the feeling of an event.
func felt(event string) (feeling, cause string, err error) {
	for _, f := range feelingOf {
		if pattern(`^(` + f.event + `)$`).MatchString(event) {
			return f.feeling, f.cause, nil
		}
	}
	return "", "", fmt.Errorf("no feeling comes from %q", event)
}

func solveTwoFeelings(question, option string, _ []string) (bool, string, error) {
	m, err := match(`^(\w+) ([^.]*)\. (\w+) ([^.]*)\. How does (\w+) feel\?$`, question)
	if err != nil {
		return false, "", err
	}
	for i := 0; i < 4; i += 2 {
		feeling, cause, err := felt(m[i+1])
		if err != nil {
			return false, "", err
		}
		if feeling == option && m[i] == m[4] {
			return true, cause + " makes one " + option, nil
		}
		if feeling == option {
			return false, option + " is how " + m[i] + " feels", nil
		}
	}
	for _, f := range feelingOf {
		if f.feeling == option {
			return false, option + " comes from " + f.cause, nil
		}
	}
	return false, "", fmt.Errorf("%q is not a known feeling", option)
}

func solveWhoFeels(question, option string, _ []string) (bool, string, error) {
	m, err := match(`^(\w+) ([^.]*)\. (\w+) ([^.]*)\. (\w+) ([^.]*)\. Who feels (\w+)\?$`, question)
	if err != nil {
		return false, "", err
	}
	for i := 0; i < 6; i += 2 {
		if m[i] != option {
			continue
		}
		feeling, cause, err := felt(m[i+1])
		fact := m[i] + " " + m[i+1]
		if feeling == m[6] {
			return true, fact + " and " + cause + " makes one " + feeling, err
		}
		return false, fact, err
	}
	return false, "nothing is said of " + option, nil
}

func solveRule(question, option string, _ []string) (bool, string, error) {
	m, err := match(`^Every (\w+) is (\w+)\. Every (\w+) is (\w+)\. Every (\w+) is (\w+)\. What colour is a (\w+)\?$`, question)
	if err != nil {
		return false, "", err
	}
	for i := 0; i < 6; i += 2 {
		if m[i+1] == option && m[i] == m[6] {
			return true, "every " + m[i] + " is " + option, nil
		}
		if m[i+1] == option {
			return false, option + " is the colour of a " + m[i], nil
		}
	}
	return false, "nothing here is " + option, nil
}

func solveEither(question, option string, _ []string) (bool, string, error) {
	m, err := match(`^Every (\w+) is (\w+)\. Every (\w+) is (\w+)\. Every (\w+) is (\w+)\. (\w+) is a (\w+) or a (\w+)\. (\w+) is not a (\w+)\. What colour is (\w+)\?$`, question)
	if err != nil {
		return false, "", err
	}
	name, not := m[6], m[10]
	if m[9] != name || m[11] != name {
		return false, "", fmt.Errorf("more than one individual in %q", question)
	}
	is := m[7]
	if is == not {
		is = m[8]
	} else if m[8] != not {
		return false, "", fmt.Errorf("the denial does not decide in %q", question)
	}
	for i := 0; i < 6; i += 2 {
		if m[i+1] != option {
			continue
		}
		rule := "every " + m[i] + " is " + option
		switch m[i] {
		case is:
			return true, fmt.Sprintf("%s is not a %s, so %s is a %s, and %s", name, not, name, is, rule), nil
		case not:
			return false, rule + " but " + name + " is not a " + not, nil
		}
		return false, rule + " but " + name + " is a " + is, nil
	}
	return false, "nothing here is " + option, nil
}

func solveTwoPlaces(question, option string, _ []string) (bool, string, error) {
	m, err := match(`^(\w+) lives in (\w+)\. (\w+) lives in (\w+)\. Where does (\w+) live\?$`, question)
	if err != nil {
		return false, "", err
	}
	for i := 0; i < 4; i += 2 {
		if m[i+1] == option {
			return m[i] == m[4], m[i] + " lives in " + option, nil
		}
	}
	return false, "nobody here lives in " + option, nil
}

func solveMoved(question, option string, _ []string) (bool, string, error) {
	m, err := match(`^(\w+) lives in (\w+)\. (\w+) lives in (\w+)\. (\w+) lives in (\w+)\. (\w+) moves to (\w+)\. Where does (\w+) live now\?$`, question)
	if err != nil {
		return false, "", err
	}
	if option == m[7] {
		return m[6] == m[8], m[6] + " moved to " + option, nil
	}
	for i := 0; i < 6; i += 2 {
		switch {
		case m[i+1] == option && m[i] == m[6]:
			return false, m[i] + " lived in " + option + " before", nil
		case m[i+1] == option:
			return m[i] == m[8], m[i] + " lives in " + option, nil
		}
	}
	return false, "", fmt.Errorf("%s is not in %q", option, question)
}

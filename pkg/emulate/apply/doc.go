// Package apply makes the experiments that carry interventions of package emulate out at a model's attention sites: it says for each layer what happens there
// (attention.Visit) and builds no computation itself, and it replaces token classes by a vocabulary's ids.
//
// A Spec's numbers (the gain of a layer, its threshold, the heads it acts on, a control's draw) are inputs of the graphs, so that layers and Specs of one structure
// share them: a grid over alpha and tau compiles no more than one Spec does.
package apply

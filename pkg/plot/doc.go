// Package plot draws Attune's figures as PNG, the one form that
// renders live in Jupyter, under nbconvert, on GitHub and offline.
//
//   - [Heatmap]: a matrix (layers x heads, queries x keys) in a perceptual palette with a colour bar.
//   - [Curves]: series with confidence bands.
//   - [Bars]: groups of bars with 95 % intervals.
//
// A chart is data, a report.Chart, until its PNG method draws it.
//
// Figures are drawn with gonum.org/v1/plot and its embedded Liberation fonts, so the same call gives the
// same bytes on the same machine whatever fonts are installed. The sequential palette is viridis (Smith
// and van der Walt, 2015) in Zucker's polynomial form, the diverging one Moreland's cool-warm map
// (doi:10.1007/978-3-642-10520-3_9), and the series' colours are Okabe and Ito's, which readers with
// any of the common colour-vision deficiencies tell apart.
//
// Labels may be tokens: control characters and outer spaces are made visible, and characters the
// embedded font cannot draw are written as their code point (see [Visible]).
package plot

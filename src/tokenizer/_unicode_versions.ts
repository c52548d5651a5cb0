/**
 * Characters of which Rust's `tokenizers` and the platform think differently, because they have
 * Unicode's tables of different years; each as the inside of a class of characters.
 *
 * Found by sending every character through the stages of `tokenizers` 0.23.3.
 *
 * @module
 */

/** Newer than the tables of normal forms (Unicode 9): they stay, and order nothing. */
export const YOUNG_COMPOSED =
  String.raw`\u{7fd}\u{897}-\u{89f}\u{8ca}-\u{8d3}\u{9fe}\u{afa}-\u{aff}\u{b55}\u{c04}\u{c3c}` +
  String.raw`\u{cf3}\u{d00}\u{d3b}\u{d3c}\u{d81}\u{eba}\u{ece}\u{1715}\u{180f}\u{1abf}-\u{1ace}` +
  String.raw`\u{1cf7}\u{1df6}-\u{1dfa}\u{32ff}\u{a7f2}-\u{a7f4}\u{a82c}\u{a8ff}\u{ab69}\u{105c9}` +
  String.raw`\u{105e4}\u{10781}-\u{10785}\u{10787}-\u{107b0}\u{107b2}-\u{107ba}` +
  String.raw`\u{10d24}-\u{10d27}\u{10d69}-\u{10d6d}\u{10eab}\u{10eac}\u{10efc}-\u{10eff}` +
  String.raw`\u{10f46}-\u{10f50}\u{10f82}-\u{10f85}\u{11070}\u{11073}\u{11074}\u{110c2}\u{11145}` +
  String.raw`\u{11146}\u{111c9}\u{111ce}\u{111cf}\u{11241}\u{1133b}\u{11383}\u{11385}\u{1138e}` +
  String.raw`\u{11391}\u{113b8}-\u{113c0}\u{113c2}\u{113c5}\u{113c7}-\u{113ca}\u{113cc}-\u{113d0}` +
  String.raw`\u{113d2}\u{113e1}\u{113e2}\u{1145e}\u{1182c}-\u{1183a}\u{11930}-\u{11935}\u{11937}` +
  String.raw`\u{11938}\u{1193b}-\u{1193e}\u{11940}\u{11942}\u{11943}\u{119d1}-\u{119d7}` +
  String.raw`\u{119da}-\u{119e0}\u{119e4}\u{11a01}-\u{11a0a}\u{11a33}-\u{11a39}` +
  String.raw`\u{11a3b}-\u{11a3e}\u{11a47}\u{11a51}-\u{11a5b}\u{11a8a}-\u{11a99}` +
  String.raw`\u{11d31}-\u{11d36}\u{11d3a}\u{11d3c}\u{11d3d}\u{11d3f}-\u{11d45}\u{11d47}` +
  String.raw`\u{11d8a}-\u{11d8e}\u{11d90}\u{11d91}\u{11d93}-\u{11d97}\u{11ef3}-\u{11ef6}\u{11f00}` +
  String.raw`\u{11f01}\u{11f03}\u{11f34}-\u{11f3a}\u{11f3e}-\u{11f42}\u{11f5a}\u{13440}` +
  String.raw`\u{13447}-\u{13455}\u{1611e}-\u{1612f}\u{16d68}-\u{16d6a}\u{16f4f}` +
  String.raw`\u{16f7f}-\u{16f87}\u{16fe4}\u{16ff0}\u{16ff1}\u{1ccd6}-\u{1ccf9}\u{1cf00}-\u{1cf2d}` +
  String.raw`\u{1cf30}-\u{1cf46}\u{1e030}-\u{1e06d}\u{1e08f}\u{1e130}-\u{1e136}\u{1e2ae}` +
  String.raw`\u{1e2ec}-\u{1e2ef}\u{1e4ec}-\u{1e4ef}\u{1e5ee}\u{1e5ef}\u{1f16c}\u{1fbf0}-\u{1fbf9}`;

/** Marks that are newer than that; StripAccents leaves them. */
export const YOUNG_MARKS =
  String.raw`\u{7fd}\u{897}-\u{89f}\u{8ca}-\u{8d3}\u{9fe}\u{afa}-\u{aff}\u{b55}\u{c04}\u{c3c}` +
  String.raw`\u{cf3}\u{d00}\u{d3b}\u{d3c}\u{d81}\u{eba}\u{ece}\u{1715}\u{180f}\u{1abf}-\u{1ace}` +
  String.raw`\u{1cf7}\u{1df6}-\u{1dfa}\u{a82c}\u{a8ff}\u{10d24}-\u{10d27}\u{10d69}-\u{10d6d}` +
  String.raw`\u{10eab}\u{10eac}\u{10efc}-\u{10eff}\u{10f46}-\u{10f50}\u{10f82}-\u{10f85}\u{11070}` +
  String.raw`\u{11073}\u{11074}\u{110c2}\u{11145}\u{11146}\u{111c9}\u{111ce}\u{111cf}\u{11241}` +
  String.raw`\u{1133b}\u{113b8}-\u{113c0}\u{113c2}\u{113c5}\u{113c7}-\u{113ca}\u{113cc}-\u{113d0}` +
  String.raw`\u{113d2}\u{113e1}\u{113e2}\u{1145e}\u{1182c}-\u{1183a}\u{11930}-\u{11935}\u{11937}` +
  String.raw`\u{11938}\u{1193b}-\u{1193e}\u{11940}\u{11942}\u{11943}\u{119d1}-\u{119d7}` +
  String.raw`\u{119da}-\u{119e0}\u{119e4}\u{11a01}-\u{11a0a}\u{11a33}-\u{11a39}` +
  String.raw`\u{11a3b}-\u{11a3e}\u{11a47}\u{11a51}-\u{11a5b}\u{11a8a}-\u{11a99}` +
  String.raw`\u{11d31}-\u{11d36}\u{11d3a}\u{11d3c}\u{11d3d}\u{11d3f}-\u{11d45}\u{11d47}` +
  String.raw`\u{11d8a}-\u{11d8e}\u{11d90}\u{11d91}\u{11d93}-\u{11d97}\u{11ef3}-\u{11ef6}\u{11f00}` +
  String.raw`\u{11f01}\u{11f03}\u{11f34}-\u{11f3a}\u{11f3e}-\u{11f42}\u{11f5a}\u{13440}` +
  String.raw`\u{13447}-\u{13455}\u{1611e}-\u{1612f}\u{16f4f}\u{16f7f}-\u{16f87}\u{16fe4}\u{16ff0}` +
  String.raw`\u{16ff1}\u{1cf00}-\u{1cf2d}\u{1cf30}-\u{1cf46}\u{1e08f}\u{1e130}-\u{1e136}\u{1e2ae}` +
  String.raw`\u{1e2ec}-\u{1e2ef}\u{1e4ec}-\u{1e4ef}\u{1e5ee}\u{1e5ef}`;

/** Marks that are newer than BertNormalizer's tables (Unicode 8). */
export const BERT_YOUNG_MARKS =
  String.raw`\u{7fd}\u{897}-\u{89f}\u{8ca}-\u{8e1}\u{9fe}\u{afa}-\u{aff}\u{b55}\u{c04}\u{c3c}` +
  String.raw`\u{d00}\u{d3b}\u{d3c}\u{d81}\u{eba}\u{ece}\u{180f}\u{1885}\u{1886}\u{1abf}-\u{1ace}` +
  String.raw`\u{1df6}-\u{1dfb}\u{a82c}\u{a8c5}\u{a8ff}\u{a9bd}\u{10d24}-\u{10d27}` +
  String.raw`\u{10d69}-\u{10d6d}\u{10eab}\u{10eac}\u{10efc}-\u{10eff}\u{10f46}-\u{10f50}` +
  String.raw`\u{10f82}-\u{10f85}\u{11070}\u{11073}\u{11074}\u{110c2}\u{111c9}\u{111cf}\u{1123e}` +
  String.raw`\u{11241}\u{1133b}\u{113bb}-\u{113c0}\u{113ce}\u{113d0}\u{113d2}\u{113e1}\u{113e2}` +
  String.raw`\u{11438}-\u{1143f}\u{11442}-\u{11444}\u{11446}\u{1145e}\u{1182f}-\u{11837}\u{11839}` +
  String.raw`\u{1183a}\u{1193b}\u{1193c}\u{1193e}\u{11943}\u{119d4}-\u{119d7}\u{119da}\u{119db}` +
  String.raw`\u{119e0}\u{11a01}-\u{11a0a}\u{11a33}-\u{11a38}\u{11a3b}-\u{11a3e}\u{11a47}` +
  String.raw`\u{11a51}-\u{11a56}\u{11a59}-\u{11a5b}\u{11a8a}-\u{11a96}\u{11a98}\u{11a99}` +
  String.raw`\u{11c30}-\u{11c36}\u{11c38}-\u{11c3d}\u{11c3f}\u{11c92}-\u{11ca7}` +
  String.raw`\u{11caa}-\u{11cb0}\u{11cb2}\u{11cb3}\u{11cb5}\u{11cb6}\u{11d31}-\u{11d36}\u{11d3a}` +
  String.raw`\u{11d3c}\u{11d3d}\u{11d3f}-\u{11d45}\u{11d47}\u{11d90}\u{11d91}\u{11d95}\u{11d97}` +
  String.raw`\u{11ef3}\u{11ef4}\u{11f00}\u{11f01}\u{11f36}-\u{11f3a}\u{11f40}\u{11f42}\u{11f5a}` +
  String.raw`\u{13440}\u{13447}-\u{13455}\u{1611e}-\u{16129}\u{1612d}-\u{1612f}\u{16f4f}\u{16fe4}` +
  String.raw`\u{1cf00}-\u{1cf2d}\u{1cf30}-\u{1cf46}\u{1e000}-\u{1e006}\u{1e008}-\u{1e018}` +
  String.raw`\u{1e01b}-\u{1e021}\u{1e023}\u{1e024}\u{1e026}-\u{1e02a}\u{1e08f}\u{1e130}-\u{1e136}` +
  String.raw`\u{1e2ae}\u{1e2ec}-\u{1e2ef}\u{1e4ec}-\u{1e4ef}\u{1e5ee}\u{1e5ef}\u{1e944}-\u{1e94a}`;

/** What BertNormalizer takes for marks, and is none any more. */
export const BERT_OLD_MARKS = String.raw`\u{1734}\u{1171e}`;

/** Format characters that are newer than BertNormalizer's tables. */
export const BERT_YOUNG_CONTROLS = String.raw`\u{890}\u{891}\u{8e2}\u{110cd}\u{13430}-\u{1343f}`;

/** Punctuation that is newer than the tables of Punctuation and BertPreTokenizer. */
export const YOUNG_PUNCTUATION =
  String.raw`\u{61d}\u{9fd}\u{a76}\u{c77}\u{c84}\u{1b4e}\u{1b4f}\u{1b7d}-\u{1b7f}` +
  String.raw`\u{2e43}-\u{2e4f}\u{2e52}-\u{2e5d}\u{10d6e}\u{10ead}\u{10f55}-\u{10f59}` +
  String.raw`\u{10f86}-\u{10f89}\u{113d4}\u{113d5}\u{113d7}\u{113d8}\u{1144b}-\u{1144f}\u{1145a}` +
  String.raw`\u{1145b}\u{1145d}\u{11660}-\u{1166c}\u{116b9}\u{1183b}\u{11944}-\u{11946}\u{119e2}` +
  String.raw`\u{11a3f}-\u{11a46}\u{11a9a}-\u{11a9c}\u{11a9e}-\u{11aa2}\u{11b00}-\u{11b09}` +
  String.raw`\u{11be1}\u{11c41}-\u{11c45}\u{11c70}\u{11c71}\u{11ef7}\u{11ef8}\u{11f43}-\u{11f4f}` +
  String.raw`\u{11fff}\u{12ff1}\u{12ff2}\u{16d6d}-\u{16d6f}\u{16e97}-\u{16e9a}\u{16fe2}\u{1e5ff}` +
  String.raw`\u{1e95e}\u{1e95f}`;

/** What these take for punctuation, and is none any more. */
export const OLD_PUNCTUATION = String.raw`\u{166d}\u{111c9}`;

/* SPDX-License-Identifier: MIT */
/* The texts that the UTF-8 kernels are measured on: a sentence of each script, over and over. */
#ifndef FASTWS_BENCH_TEXTS_H
#define FASTWS_BENCH_TEXTS_H

#include <cstddef>
#include <string>

struct BenchText {
    const char *name;
    const char *sentence;
};

inline constexpr BenchText kTexts[] = {
    {"ascii", "The quick brown fox jumps over the lazy dog while five boxing wizards watch. "},
    {"latin", "Voix ambiguë d'un cœur qui, au zéphyr, préfère les jattes de kiwis; Zwölf Boxkämpfer jagen Viktor. "},
    {"cyrillic", "Съешь же ещё этих мягких французских булок да выпей чаю, широкая электрификация южных губерний. "},
    {"cjk", "色は匂へど散りぬるを我が世誰ぞ常ならむ有為の奥山今日越えて浅き夢見じ酔ひもせず。天地玄黄宇宙洪荒。"},
    {"emoji", "😀😃😄😁😆😅🤣😂🙂🙃🫠😉😊😇🥰😍🤩😘😗😚😙🥲😋😛😜🤪😝🤑🤗🤭"},
    {"json", "{\"id\":184467,\"user\":\"Zo\xc3\xab\",\"price\":\"12,50 \xe2\x82\xac\",\"tags\":[\"news\",\"sport\",\"weather\"],"
             "\"read\":true,\"text\":\"See you at ten, same place as last week\"},"},
};

/* Places in kTexts. */
enum { kAscii = 0, kCyrillic = 2 };

/* Returns exactly len bytes of whole characters: where the next one does not fit, full stops. */
inline std::string make_text(const BenchText &text, std::size_t len) {
    const std::string sentence = text.sentence;
    std::string out;
    while (out.size() < len) out += sentence;
    std::size_t end = len;
    while (end > 0 && (static_cast<unsigned char>(out[end]) & 0xc0) == 0x80) end--;
    out.resize(end);
    out.resize(len, '.');
    return out;
}

#endif

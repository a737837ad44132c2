/* SPDX-License-Identifier: MIT */
/* The texts that UTF-8 is checked in, each over and over: a sentence of each script, data with letters other than ASCII
 * in every line, and data with one such letter in a kilobyte. bench/peers/run.py reads them from here. */
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
    {"json", "{\"id\":184467,\"user\":\"Zoë\",\"price\":\"12,50 €\",\"tags\":[\"news\",\"sport\",\"weather\"],"
             "\"read\":true,\"text\":\"See you at ten, same place as last week\"},"},
    {"trades",
     "{\"user\":\"Jürgen\",\"id\":1234567,\"symbol\":\"BTC-EUR\",\"price\":\"61234.50\",\"side\":\"buy\"},"
     "{\"user\":\"alice\",\"id\":1234568,\"symbol\":\"BTC-EUR\",\"price\":\"61234.00\",\"side\":\"sell\"},"
     "{\"user\":\"bob\",\"id\":1234569,\"symbol\":\"BTC-USD\",\"price\":\"61233.75\",\"side\":\"sell\"},"
     "{\"user\":\"carol\",\"id\":1234570,\"symbol\":\"BTC-EUR\",\"price\":\"61236.20\",\"side\":\"buy\"},"
     "{\"user\":\"dave\",\"id\":1234571,\"symbol\":\"ETH-EUR\",\"price\":\"61235.10\",\"side\":\"sell\"},"
     "{\"user\":\"erin\",\"id\":1234572,\"symbol\":\"BTC-EUR\",\"price\":\"61235.05\",\"side\":\"buy\"},"
     "{\"user\":\"frank\",\"id\":1234573,\"symbol\":\"BTC-USD\",\"price\":\"61234.90\",\"side\":\"buy\"},"
     "{\"user\":\"grace\",\"id\":1234574,\"symbol\":\"BTC-EUR\",\"price\":\"61235.60\",\"side\":\"sell\"},"
     "{\"user\":\"heidi\",\"id\":1234575,\"symbol\":\"BTC-EUR\",\"price\":\"61236.00\",\"side\":\"sell\"},"
     "{\"user\":\"ivan\",\"id\":1234576,\"symbol\":\"ETH-EUR\",\"price\":\"61235.85\",\"side\":\"buy\"},"
     "{\"user\":\"judy\",\"id\":1234577,\"symbol\":\"BTC-USD\",\"price\":\"61236.15\",\"side\":\"buy\"},"
     "{\"user\":\"mallory\",\"id\":1234578,\"symbol\":\"BTC-EUR\",\"price\":\"61236.40\",\"side\":\"sell\"},"},
};

/* Places in kTexts. */
enum { kAscii = 0, kCyrillic = 2 };

/* Returns exactly len bytes of whole characters: where the next one does not fit, spaces. */
inline std::string make_text(const BenchText &text, std::size_t len) {
    const std::string sentence = text.sentence;
    std::string out;
    while (out.size() < len) out += sentence;
    std::size_t end = len;
    while (end > 0 && (static_cast<unsigned char>(out[end]) & 0xc0) == 0x80) end--;
    out.resize(end);
    out.resize(len, ' ');
    return out;
}

#endif

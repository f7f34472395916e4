// npm's `libretranslate`, unmodified, against a server: prints what it got as JSON. Argument: the address of the door.
import translator from "libretranslate";

const apiurl = process.argv[2];
const translated = await translator.translate({ query: "Where is the library?", source: "en", target: "de", apiurl });
const detected = await translator.translate({ query: "My sister sleeps.", target: "es", apiurl });
const unknown = await translator
  .translate({ query: "Where?", source: "en", target: "xx", apiurl })
  .catch((error) => error.message);
console.log(JSON.stringify({ translated, detected, unknown }));

// DeepL's library for Node, unmodified, against a server: prints what it got as JSON.
// Arguments: the address of the door, a token, and a folder.

const fs = require('node:fs');
const path = require('node:path');
const deepl = require('deepl-node');

const [address, token, folder] = process.argv.slice(2);

async function error(call) {
  try {
    await call();
    return ['none', ''];
  } catch (raised) {
    return [raised.constructor.name, raised.message];
  }
}

async function main() {
  const options = { serverUrl: address, maxRetries: 1, minTimeout: 600000 };
  const client = new deepl.DeepLClient(token, options);
  const results = await client.translateText(['Where is the library?', 'My sister sleeps.'], null, 'de');
  const ignored = await client.translateText('Hello <x>green world</x> and <b>my sister</b> sleeps.', 'en', 'de', {
    tagHandling: 'xml',
    ignoreTags: ['x'],
    modelType: 'latency_optimized',
  });
  const cut = await client.translateText('<d>Where is the library? <cut/>My sister sleeps.</d>', 'en', 'de', {
    tagHandling: 'xml',
    outlineDetection: false,
    splittingTags: ['cut'],
    nonSplittingTags: ['d'],
  });
  const entries = new deepl.GlossaryEntries({ entries: { dog: 'Köter' } });
  const glossary = await client.createGlossary('Tiere', 'en', 'de', entries);
  const dictionaries = [
    { sourceLangCode: 'en', targetLangCode: 'de', entries },
    { sourceLangCode: 'en', targetLangCode: 'fr', entries: new deepl.GlossaryEntries({ entries: { dog: 'cabot' } }) },
  ];
  const both = await client.createMultilingualGlossary('Zoo', dictionaries);
  const french = await client.getMultilingualGlossaryDictionaryEntries(both, 'en', 'fr');
  const source = path.join(folder, 'house.txt');
  const target = path.join(folder, 'haus-node.txt');
  fs.writeFileSync(source, 'My sister sleeps.\n');
  const status = await client.translateDocument(source, target, 'en', 'de');
  const stranger = new deepl.DeepLClient('unknown', options);
  const found = {
    texts: results.map((each) => [each.text, each.detectedSourceLang, each.billedCharacters]),
    ignored: [ignored.text, ignored.modelTypeUsed],
    cut: cut.text,
    target: (await client.getTargetLanguages()).map((each) => each.code),
    glossary: (await client.translateText('The dog sleeps.', 'en', 'de', { glossary })).text,
    entries: (await client.getGlossaryEntries(glossary)).entries(),
    both: both.dictionaries.map((each) => [each.sourceLangCode, each.targetLangCode, each.entryCount]),
    french: french.entries.entries(),
    status: [status.status, status.billedCharacters],
    document: fs.readFileSync(target, 'utf8'),
    count: (await client.getUsage()).character.count,
    errors: {
      key: await error(() => stranger.translateText('a', null, 'de')),
      language: await error(() => client.translateText('a', null, 'xx')),
      glossary: await error(() => client.getGlossary('nothing')),
    },
  };
  await client.deleteGlossary(glossary);
  await client.deleteMultilingualGlossary(both);
  found.left = (await client.listGlossaries()).length;
  console.log(JSON.stringify(found));
}

main().catch((raised) => {
  console.error(raised.message);
  process.exit(1);
});

"""The sentences of the load: everyday English, twelve words each."""

NUM_WORDS = 12

SENTENCES = (
    "Could you please tell me where I can find the nearest library?",
    "We missed the last train home because the meeting took too long.",
    "My sister wants to learn how to play the piano this summer.",
    "The children were playing in the garden when it began to rain.",
    "I would like to reserve a table for four people tomorrow evening.",
    "He forgot his keys at the office and had to go back.",
    "They have lived in the same small house for almost thirty years.",
    "Do you know what time the museum opens on Sunday and Monday?",
    "She was so tired that she fell asleep in front of television.",
    "The doctor told him to drink more water and eat less sugar.",
    "I have never seen such a beautiful beach in my whole life.",
    "Please turn off the lights before you leave the room at night.",
    "If the weather is good we will go hiking in the mountains.",
    "My grandfather used to tell us stories about his time at sea.",
    "It is not easy to find a cheap apartment in this city.",
    "The teacher explained the problem again, but nobody in the class understood.",
    "You should always wash your hands before you start to cook dinner.",
    "I am looking for a present for my brother, who likes books.",
    "The bus was late this morning, so I walked to my school.",
    "She opened the window because the air in the kitchen was bad.",
    "We have to finish this work before our boss comes back tomorrow.",
    "There is a small restaurant near the station that serves good soup.",
    "He asked me whether I had ever been to another country before.",
    "Nobody believed the old man when he said he had seen it.",
)

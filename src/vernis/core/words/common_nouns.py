"""Common English words of image keywords, so that no word is taken for another's misspelling.

Chosen for being frequent or for having a near neighbour that is a word too (``house``/``mouse``,
``desert``/``dessert``). A word that misses here is judged by its frequency and its pictures alone.
"""

from __future__ import annotations

_WORDS = """
abbey actor adult aerial airport alarm album alley almond amber anchor angel angle animal ankle
apple apron arch archer arctic arm armor army arrow art artist asphalt athlete atlas attic
autumn avenue award axe baby back backpack bacon badge bag baker bakery balcony ball ballet
balloon bamboo banana band bandage bank banner bar barber bark barley barn barrel base baseball
basil basin basket bat bath bathroom battery battle bay beach bead beak beam bean bear beard
beast beauty bed bedroom bee beef beer beetle bell belt bench berry bible bicycle bike bill
billboard bin bird birthday biscuit black blade blanket blaze blender blonde blood bloom blossom
blouse blue blueberry boar board boat body bolt bomb bone bonnet book boot border bottle boulder
bouquet bow bowl box boxer boy bracelet brain branch brand brandy brass bread break breakfast
breast breath brick bride bridge broccoli bronze broom brown brush bubble bucket bud buffet bug
building bulb bull bun bunny burger bus bush business butcher butter butterfly button cab cabin
cabinet cable cactus cafe cage cake calendar calf camel camera camp can canal candle candy cane
canoe canopy canvas canyon cap cape car caravan card cargo carnival carpet carriage carrot cart
cartoon case cash castle cat cattle cave ceiling celebration cell cellar cello cement cemetery
ceramic cereal chain chair chalk champagne channel chapel chart chase cheek cheese chef cherry
chess chest chick chicken child chimney chin chip chocolate choir church cider cigar cinema
circle circus citrus city clam clash class clay cliff climber clip cloak clock cloth clothing
cloud clove clover clown club coach coal coast coat cobra cock cocktail cocoa coconut cod coffee
coin collar color column comb comet comic compass computer concert cone cook cookie copper coral
cord cork corn corner corridor costume cottage cotton couch counter couple court cover cow
cowboy crab cracker cradle craft crane crash crate crater cream creek crew crib cricket
crocodile cross crow crowd crown cruise crystal cub cube cucumber cuff cup cupboard curl curry
curtain curve cushion customer cycle cyclist dagger dairy daisy dam dance dancer dawn day deck
deer desert desk dessert diamond dice diner dining dinner dinosaur dirt disc dish diver dock
doctor dog doll dollar dolphin donkey donut door dough dove dragon drain drama drawer drawing
dress drill drink driver drone drop drum duck dune dusk dust eagle ear earring earth easel east
egg elbow elder elephant elk engine evening eye eyebrow fabric face factory fair fairy falcon
fall family fan farm farmer fashion father faucet feast feather fence fern ferry festival field
fig fight figure film finger fir fire firework fish fist flag flame flamingo flash flask fleece
flesh flight flock flood floor flour flow flower flute fly foal foam fog food foot football
forest fork fort fountain fox frame fridge friend frog frost fruit fuel fun fungus fur furniture
galaxy gallery game garage garden garlic garment gas gate gauge gear gem ghost giant gift gin
ginger giraffe girl glacier glass globe glove glow glue goal goat goblet gold golf goose gown
grain grape graph grass grater grave gravel gravity gravy gray green greens grey grill grocery
groom group guard guest guide guitar gull gum gun gym hail hair hall ham hamburger hammer
hammock hand handbag handle hanger harbor hare harp hat hawk hay head heart heat hedge heel
helicopter helmet hen herb herd hero heron hiker hiking hill hip hippo hockey hog hole holiday
honey hood hoof hook horn horse hose hospital host hotel hound hour house hunter hurdle husky
hut ice iceberg icicle icon indoor infant ink insect interior iris iron island ivory ivy jacket
jade jam jar jaw jazz jeans jelly jet jewel jewelry judge jug juice jungle kale kettle key
keyboard kick kid king kitchen kite kitten kiwi knee knife knight knob knot label lace ladder
lady lake lamb lamp land landscape lane lantern laptop laser lawn lawyer leaf leash leather leg
lemon lemur lens leopard letter lettuce library lid light lighthouse lightning lily limb lime
line linen lion lip lipstick liquor lizard llama loaf lobby lobster lock log logo loop lorry
lotus lounge love luggage lunch lung lynx machine magazine magnet mail make makeup male mall man
mane mango map maple marble march mare marker market marsh mask mast mat match mate maze meadow
meal meat medal media medicine meeting melon menu metal meter mice microwave milk mill mine mint
mirror mist mixer moat model mold mole monitor monk monkey monster moon moose mop morning mosque
moss moth mother motor motorcycle mound mountain mouse mouth movie mud muffin mug mule mural
muscle museum mushroom music mussel mustard nail napkin neck necklace needle nest net newspaper
night noodle north nose note nun nurse nut oak oar oat ocean octopus office oil olive onion
opera orange orbit orchard orchid organ ostrich otter outdoor oven owl owner ox oyster pack
packet pad paddle page paint painter painting pair palace palette palm pan panda panel pants
paper parade parcel park parka parrot party pass passage pasta paste pastry path patio pattern
paw pea peach peacock peak peanut pear pearl pebble pedal peel peg pelican pen pencil penguin
people pepper perfume person pet petal petrol phone photo piano pickle picnic picture pie pier
pig pigeon pile pill pillar pillow pilot pin pine pineapple pink pint pipe pirate pistol pitcher
pizza place plain plan plane planet plank plant plaster plastic plate platter player plaza plow
plug plum plumber plume pocket pod poem poker polar pole police pond pony pool pop poppy porch
pork port porter portrait post poster pot potato pottery pouch powder power prawn prayer present
prince print prison prize product prop puddle pump pumpkin puppet puppy purple purse puzzle
quail quarry queen quilt rabbit race racer racket radio raft rail railing railway rain rainbow
ram ramp ranch ranger rat raven ray razor receipt record red reed reef refrigerator reptile
resort restaurant rhino ribbon rice rider ring river road robe robin robot rock rocket rod roll
roof room rooster root rope rose rotor round rover rower rug rugby ruin ruler rum runner rust
saddle safari sail sailor salad sale salmon salon salt sand sandal sandwich sauce saucer sausage
saw scale scarf school science scissors scooter score screen screw sculpture sea seal seat
seaweed seed shack shade shadow shake shark shawl shed sheep sheet shelf shell shelter shepherd
shield ship shirt shoe shop shore short shorts shoulder shovel show shower shrimp shrine shrub
sign silk silver singer sink siren sister skate skater ski skier skin skirt skull sky skyline
skyscraper slate sled sleep sleeve slice slide slipper slope smile smoke snack snail snake snow
soap soccer sock soda sofa soil soldier song soul soup south space spade spark sparrow speaker
spear spice spider spinach spine spiral spire spirit splash sponge spoon sport spray spring
spruce squad square squash squid squirrel stable stadium staff stage stain stair stake stall
stamp stand star starfish start state station statue steak steam steel stem step stew stick
sting stitch stock stone stool stop store storm stove strap straw strawberry stream street
string stripe student studio style sugar suit suitcase summer sun sunflower sunglasses sunrise
sunset surf surfer sushi swan sweat sweater sweet swim swimmer swing sword syrup table tablet
taco tail tailor tank tape target tart taxi tea teacher team tear teddy telephone television
temple tennis tent test text textile texture theater thread throne thumb ticket tide tie tiger
tights tile timber tire toad toast toaster toilet tomato tomb tongue tool tooth top torch
tortoise towel tower town toy track tractor trade traffic trail trailer train trainer tram trash
tray tree trench triangle tribe trick tripod trolley trophy trouser trousers trout truck trumpet
trunk tub tube tulip tuna tunnel turban turkey turtle tuxedo twig twin umbrella uniform urn
valley van vase vault vegetable vehicle veil vest village vine vineyard violet violin vodka
volcano volleyball voyage waffle wagon waist waiter walker wall wallet walnut walrus war
wardrobe warehouse washer wasp watch water waterfall watermelon wave wax weather web wedding
weed west whale wheat wheel whip whiskey whisky whistle white widow wig wind window wine wing
winter wire witch wolf woman wood wool word worker world worm wreath wreck wrist writer yacht
yard yarn yellow yoga yogurt zebra zoo zucchini
"""

COMMON_NOUNS = frozenset(_WORDS.split())
"""Lower-case singulars, and the plurals that are words of their own."""

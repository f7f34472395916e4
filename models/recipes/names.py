"""Common first names of the English-speaking world, written down so that no vocabulary learns them from e-mails.

Left out are those that are everyday words first: April, August, Grace, Hope, Joy, June, May, Rose, Will.
"""

FIRST_NAMES = frozenset(
    """
    aaron abby abigail abraham adam adrian agnes aidan aimee al alan albert alberto alejandro alex alexander
    alexandra alexis alfred alfredo alice alicia alison allan allen allison alma alvin alyssa amanda amber amelia
    amy ana anders andre andrea andreas andrew andy angel angela angelica angie anita ann anna anne annette annie
    anthony antonio arlene armando arnold arthur arturo ashley audrey austin barb barbara barney barry beatrice
    becky ben benjamin bernadette bernard bernice bert bertha beth bethany betsy betty beverly bill billy blake
    blanche bob bobby bonnie brad bradley brandi brandon brandy brenda brendan brent brett brian britt brittany
    bruce bruno bryan bryant byron caitlin calvin cameron candace cara carl carla carlos carmen carol carole
    caroline carolyn carrie casey cassandra catherine cathy cecil cecilia cedric chad charlene charles charlie
    charlotte chelsea cheryl chester chris chrissy christa christian christie christina christine christopher
    christy chuck cindy claire clara clarence claude claudia clayton cliff clifford clifton clint clinton clyde cody
    colin colleen connie connor conrad corey cory courtney craig cristina crystal curt curtis cynthia daisy dale
    damian dan dana daniel daniela danielle danny darcy darla darlene darrell darren daryl dave david dawn dean
    deanna deb debbie deborah debra delores dennis derek derrick desiree diana diane dianna dianne dick diego
    dolores dominic don donald donna doris dorothy doug douglas drew duane dustin dwayne dwight dylan earl ed eddie
    edgar edith edmund eduardo edward edwin eileen elaine eleanor elena eli elias elisabeth elizabeth ella ellen
    elliott elmer elsie emily emma enrique eric erica erik erika erin ernest ernesto esther ethan ethel eugene eva
    evan evelyn faith felicia felix fernando florence floyd frances francis francisco frank franklin fred freddie
    frederick gabriel gabriela gail garrett gary gavin gayle geoff geoffrey george georgia gerald geraldine gerard
    gilbert gina ginger ginny gladys glen glenda glenn gloria gordon greg gregg gregory gretchen guillermo guy gwen
    gwendolyn hank hannah hans harold harriet harry harvey hazel heather hector heidi helen henry herbert herman
    hilary holly howard hugh hugo ian ida ingrid irene iris irma irving isaac isabel isabella ivan jack jackie
    jaclyn jacob jacqueline jaime jake james jamie jan jana jane janelle janet janice janine jared jasmine jason
    javier jay jean jeanette jeanne jeannie jeff jeffery jeffrey jenna jennifer jenny jeremy jerome jerry jesse
    jessica jessie jesus jill jim jimmy jo joan joann joanna joanne jodi jody joe joel joey johanna john johnnie
    johnny jon jonathan jordan jorge jose joseph josephine josh joshua joyce juan juanita judith judy julia julian
    juliana julie julio justin kara karen karin karl karla kate katherine kathleen kathryn kathy katie katrina kay
    kayla keith kelley kelli kellie kelly ken kendall kenneth kenny kent kerry kevin kim kimberly kirk kirsten
    kirstin kris krista kristen kristi kristin kristina kristine kristy kurt kyle lance larry latoya laura lauren
    laurence laurie lawrence leah lee leigh lena leo leon leonard leroy leslie lester leticia lewis lila lillian
    lillie linda lindsay lindsey lisa liz liza lloyd lois lola lonnie lora loretta lori lorie lorraine louis louise
    lucas lucia lucille lucy luis luke luther lydia lyle lynda lynette lynn lynne mabel mack madeline madison mae
    maggie malcolm manuel marc marcia marco marcos marcus margaret margarita margie margo maria marian marianne
    marie marilyn marina mario marion marisa marissa marjorie mark marlene marsha marshall martha martin marvin mary
    maryann mathew matt matthew maureen maurice max maxine megan meghan melanie melinda melissa melvin mercedes
    meredith michael michele michelle miguel mike mildred milton mindy miranda miriam misty mitch mitchell molly
    mona monica monique monte morgan morris muriel myra myrtle nadine nancy naomi natalie natasha nathan nathaniel
    neal ned neil nellie nelson nicholas nick nicolas nicole nina noah nora norma norman olga oliver olivia oscar
    otis owen pablo paige pam pamela pat patrice patricia patrick patsy patti patty paul paula paulette pauline
    paulo pedro peggy penny percy perry pete peter phil philip phillip phyllis preston priscilla rachael rachel
    rafael ralph ramon ramona randal randall randy raquel raul ray raymond rebecca regina reginald rene renee reuben
    rhonda ricardo richard rick ricky rita rob robbie robert roberta roberto robin robyn rod rodney rodrigo roger
    roland roman ron ronald ronnie rosa rosalie rosemary rosie ross roy ruben ruby rudolph rudy russ russell ruth
    ryan sabrina sally salvador sam samantha sammy samuel sandra sandy sara sarah scott sean sergio seth shane
    shannon shari sharon shaun shawn sheila shelby shelley shelly sheri sherri sherry shirley sid sidney simon sonia
    sonya sophia sophie spencer stacey staci stacy stan stanley stefan stella steph stephanie stephen steve steven
    stewart stuart sue susan susana susie suzanne suzie sylvia tamara tami tammy tana tanya tara tasha ted terence
    teresa teri terrance terrence terri terry thelma theodore theresa thomas tiffany tim timothy tina tod todd tom
    tommy toni tony tonya tracey traci tracy travis trent trevor tricia tyler tyrone ursula valerie vanessa vera
    verna vernon veronica vicki vickie vicky victor victoria vince vincent viola violet virgil virginia vivian wade
    wallace walter wanda warren wayne wendell wendy wes wesley whitney wilbur willard william willie wilma winifred
    wyatt xavier yolanda yvette yvonne zach zachary
    """.split()
)
